"""Lines: whether what a line begins may go on in the next one, so that both have to be judged together."""

from __future__ import annotations

import re

from isengard.core.redaction.assignments import expects_value
from isengard.core.redaction.blocks import BEGIN, END, BlockLines
from isengard.core.redaction.engine import Engine

_YAML_BLOCK = re.compile(r"[|>][+-]?\d?[+-]?[ \t]{0,16}(?:#[^\n]{0,200})?[\r\n]{1,2}$")
_YAML_LIST = re.compile(r"(?i)(?:keys|tokens|passwords|credentials)[\"']?[ \t]{0,8}:[ \t]{0,16}[\r\n]{1,2}$")
_NETRC = re.compile(r"(?<![A-Za-z0-9])(?:machine|login|account)[ \t]{1,8}\S{1,200}[ \t]{0,16}[\r\n]{1,2}$")
_ENTRIES = ("machine", "login", "account")
_OF_TOKENS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~+/=-"
_SHORTEST_WORD = 8


class Continuation:
    """Follows the lines of one segment."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._block: BlockLines | None = None
        self._indent = -1

    def reset(self) -> None:
        """A new segment begins."""
        self._block = None
        self._indent = -1

    def ends_before(self, line: str) -> bool:
        """Whether the segment is over before `line`: it was a YAML block and `line` is no longer indented into it."""
        if self._indent < 0:
            return False
        content = line.lstrip(" \t")
        return content.strip() != "" and len(line) - len(content) <= self._indent

    def goes_on(self, held: str, line_start: int) -> bool:
        """Whether the segment `held`, whose last whole line begins at `line_start`, needs the next line."""
        line = held[line_start:]
        if self._in_block(line) or self._indent >= 0:
            return True
        if self._engine.known and self._engine.known.may_continue(held):
            return True
        if self._engine.is_clean(line):
            return False
        return self._opens_yaml(line) or expects_value(line) or self._ends_in_token(line) or _ends_in_netrc(line)

    def _in_block(self, line: str) -> bool:
        if self._block and not END.search(line):
            if self._block.takes(line):
                return True
            self._block = None
        elif "BEGIN" in line or "Private-Lines" in line or self._block:
            self._block = BlockLines() if _opens_block(line) else None
        return self._block is not None

    def _opens_yaml(self, line: str) -> bool:
        end = line.rstrip()[-1:]
        if end == ":" and _YAML_LIST.search(line[-256:]) and expects_value(line):
            self._indent = len(line) - len(line.lstrip(" \t")) - 1  # a list may stand as deep as its key
            return True
        if (
            ("|" in line or ">" in line)
            and _YAML_BLOCK.search(line[-256:])
            and expects_value(_YAML_BLOCK.sub("\n", line[-600:]))
        ):
            self._indent = len(line) - len(line.lstrip(" \t-"))
            return True
        return False

    def _ends_in_token(self, line: str) -> bool:
        body = line[-640:].rstrip("\r\n").rstrip("\"'`\\")
        word = body[len(body.rstrip(_OF_TOKENS)) :]
        return len(word) >= _SHORTEST_WORD and self._engine.begins_token(word)


def _ends_in_netrc(line: str) -> bool:
    tail = line[-256:]
    return any(entry in tail for entry in _ENTRIES) and _NETRC.search(tail) is not None


def _opens_block(line: str) -> bool:
    last = None
    for marker in BEGIN.finditer(line):
        last = marker
    return last is not None and line[last.end() :].strip() == ""
