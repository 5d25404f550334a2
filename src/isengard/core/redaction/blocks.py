r"""Blocks: private keys between ``-----BEGIN`` and ``-----END``, whole or cut off, on many lines or flattened into one.

A marker that is only mentioned ("no -----BEGIN PRIVATE KEY----- found") is no block. Public keys and certificates stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from isengard.core.redaction.rules import Segment
from isengard.core.redaction.spans import MARK, Span

_SPACE = r"(?:[ ]|%20|\+)"
BEGIN = re.compile(
    rf"-{{4,5}}{_SPACE}?BEGIN{_SPACE}(?:[A-Z0-9]{{1,20}}{_SPACE}){{0,4}}?"
    rf"(?:PRIVATE{_SPACE}KEY(?:{_SPACE}BLOCK)?|PGP{_SPACE}MESSAGE){_SPACE}?-{{4,5}}|Private-Lines:[ ]\d{{1,4}}"
)
END = re.compile(rf"-{{4,5}}{_SPACE}?END{_SPACE}(?:[A-Z0-9]{{1,20}}{_SPACE}?){{1,6}}-{{4,5}}|Private-MAC:")

_LINE_BREAK = re.compile(r"[ \t]{0,16}(?:\r\n?|\n|$)")
_FLAT = re.compile(
    r"[ \t]{0,16}(?:\\{1,8}[nr]|%0[AaDd]|&\#1[03];|&\#x[AaDd];|<br ?/?>)"  # a line break, escaped in some way
    r"|[\"'`,+\s]{0,24}(?=[A-Za-z0-9+/=]{16})"  # or the key right away
)
_HEADER = re.compile(r"\s*(?:[A-Z][A-Za-z-]{1,30}: .{0,512})?$")
_KEY_RUN = re.compile(r"[A-Za-z0-9+/=]{16,}")

QUIET_LINES = 20
"""A block without an end is over after this many lines that hold no key material; or else it ends with the text."""

_LOOK_AHEAD = 3
"""A marker at the end of a line opens a block if one of this many lines holds key material or an end."""


def holds_key_material(line: str) -> bool:
    """Whether a line has a run of base64 that is no word, path or identifier."""
    return any(
        len(run[0]) >= 40 or (_is_mixed(run[0]) and run[0].count("/") * 12 <= len(run[0]))
        for run in _KEY_RUN.finditer(line[:4096])
    )


def _is_mixed(run: str) -> bool:
    return run.lower() != run != run.upper() and any(character.isdigit() for character in run)


class BlockLines:
    """Follows the lines after a marker until the block is over."""

    def __init__(self) -> None:
        self._seen = self._quiet = 0
        self.is_key = False

    def takes(self, line: str) -> bool:
        """Whether `line`, which holds no END, still belongs to the block."""
        self._seen += not _HEADER.match(line)
        self._quiet = 0 if holds_key_material(line) else self._quiet + 1
        self.is_key = self.is_key or self._quiet == 0
        return self._quiet <= QUIET_LINES if self.is_key else self._seen < _LOOK_AHEAD


class KeyBlocks:
    """Finds private-key blocks."""

    literals = ("begin pgp", "begin%20pgp", "begin+pgp", "private")

    def find(self, segment: Segment) -> Iterator[Span]:
        """The inside of each block; its markers stay."""
        text = segment.text
        begin = BEGIN.search(text)
        while begin:
            end = end_of_block(text, begin)
            if end > begin.end():
                yield Span(begin.end(), end, "private-key", MARK, begin.start())
            begin = BEGIN.search(text, end)


def end_of_block(text: str, begin: re.Match[str]) -> int:
    """Where the block that `begin` opens ends: before its END, or else with the text; at `begin` for a mere mention."""
    if _LINE_BREAK.match(text, begin.end()):
        return _end_over_lines(text, begin.end())
    if not _FLAT.match(text, begin.end()):
        return begin.end()
    limit = _end_of_string(text, begin)
    end = END.search(text, begin.end(), limit)
    return end.start() if end else limit


def _end_of_string(text: str, begin: re.Match[str]) -> int:
    """Where a flattened block must be over: at its closing quote if it has one, or at the end of its line."""
    line_end = text.find("\n", begin.end())
    line_end = len(text) if line_end < 0 else line_end
    before = text[max(0, begin.start() - 1) : begin.start()]
    if before in ("'", '"', "`") and before and text[begin.end()] != before:
        quote = text.find(before, begin.end(), line_end)
        line_end = quote if quote >= 0 else line_end
    return begin.end() + len(text[begin.end() : line_end].rstrip("\\"))


def _end_over_lines(text: str, start: int) -> int:
    lines, position = BlockLines(), text.find("\n", start) + 1
    while 0 < position <= len(text):
        following = text.find("\n", position)
        line_end = len(text) if following < 0 else following
        end = END.search(text, position, line_end)
        if end:
            return end.start()
        if not lines.takes(text[position:line_end]) and following >= 0:
            return line_end if lines.is_key else start
        position = line_end + 1
    return len(text) if text[start:].strip() else start
