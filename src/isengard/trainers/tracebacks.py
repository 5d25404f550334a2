"""Finds Python tracebacks in a stream of lines and keeps each whole. Never interprets what went wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass

HEADING = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?::\s*(?P<message>.*))?")
_CHAIN = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
_MAX_LINES = 2000


@dataclass(frozen=True, slots=True)
class Traceback:
    """A traceback as it was printed: the last exception's type without its module, its message, the whole text."""

    error_type: str
    message: str
    text: str


class TracebackCollector:
    """Feed it every line of one stream; `last` is the newest whole traceback, chained ones joined."""

    def __init__(self) -> None:
        self.last: Traceback | None = None
        self._lines: list[str] = []
        self._ended = False

    def feed(self, line: str) -> bool:
        """Take the next line; returns whether it belongs to a traceback."""
        if HEADING in line:
            return self._begin(line[line.index(HEADING) :])
        if not self._lines:
            return False
        return self._after_end(line) if self._ended else self._inside(line)

    def _begin(self, heading: str) -> bool:
        if not self._ended or not any(mark in self._lines[-2:] for mark in _CHAIN):
            self._lines = []
        self._lines.append(heading)
        self._ended = False
        return True

    def _inside(self, line: str) -> bool:
        if len(self._lines) >= _MAX_LINES:
            self._lines = []
            return False
        self._lines.append(line)
        match = _EXCEPTION.match(line)
        if match and not line.startswith((" ", "\t")) and not line.startswith("  + "):
            self._ended = True
            self._keep(match)
        return True

    def _after_end(self, line: str) -> bool:
        if not line.strip() or line in _CHAIN:
            self._lines.append(line)
            return bool(line.strip())
        self._lines = []
        self._ended = False
        return False

    def _keep(self, match: re.Match[str]) -> None:
        self.last = Traceback(
            error_type=match["type"].rsplit(".", 1)[-1],
            message=(match["message"] or "").strip(),
            text="\n".join(self._lines),
        )
