"""Decides what of the trainer's printed output becomes journal lines: whole stacks as one, floods thinned and counted.

Everything printed is in ``trainer/output.log`` anyway; here the reader of the journal is served.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from isengard.events.models import EventName, Level
from isengard.execution.folding import Piece
from isengard.execution.token_bucket import TokenBucket
from isengard.trainers.tracebacks import Traceback, TracebackCollector

Append = Callable[[EventName, str, dict[str, Any], Level], None]

LINES_PER_S = 200
LINES_BURST = 5_000
LAST_LINES = 50
_REDRAW_EVERY_S = 5.0
_MAX_STACK = 32_768
_EVENTS = {"stdout": EventName.SUBPROCESS_STDOUT, "stderr": EventName.SUBPROCESS_STDERR}
_WARNING = re.compile(r"\b(?:WARN|WARNING|ERROR|CRITICAL|FATAL)\b|\w+Warning\b|\b(?:Error|Exception):")
_CRASH = "Fatal Python error:"


class OutputLines:
    """The journal lines of one stream.

    Args:
        stream: ``stdout`` or ``stderr``.
        append: Writes one journal line.
        last_lines: The last lines of both streams, shared, for the account of a failure.
        clock: Seconds on a monotonic clock.
    """

    def __init__(
        self, stream: str, append: Append, last_lines: deque[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.tracebacks = TracebackCollector()
        self._event = _EVENTS[stream]
        self._append = append
        self._last_lines = last_lines
        self._clock = clock
        self._bucket = TokenBucket(LINES_PER_S, LINES_BURST, clock)
        self._redraw_at = -_REDRAW_EVERY_S
        self._stack: list[str] = []
        self._crash = False
        self._told: Traceback | None = None
        self._skipped_lines = 0
        self._skipped_bytes = 0

    def take(self, piece: Piece) -> None:
        """Journal one piece of output, or keep it as part of a stack."""
        if piece.redraw:
            self._redraw(piece)
            return
        self._last_lines.append(piece.text)
        if not self._is_stack(piece.text):
            self.flush()
            self._line(piece)

    def skipped(self, lines: int, size: int) -> None:
        """`lines` lines of `size` bytes were not even looked at."""
        self._skipped_lines += lines
        self._skipped_bytes += size

    def idle(self) -> None:
        """Nothing came for a while: what waits for more is told."""
        self.flush()
        self._tell_skipped()

    def flush(self) -> None:
        """Journal the stack that was being collected."""
        lines, self._stack, self._crash = self._stack, [], False
        while lines and not lines[-1].strip():
            lines.pop()
        if not lines:
            return
        text = "\n".join(lines)
        if len(text) > _MAX_STACK:
            text = f"{text[: _MAX_STACK // 2]}\n…\n{text[-_MAX_STACK // 2 :]}"
        fields: dict[str, Any] = {"error_stack": text}
        message = lines[0]
        if not message.startswith(_CRASH):
            message, named = self._said(lines)
            fields |= named
        self._append(self._event, message, fields, Level.ERROR)

    def _said(self, lines: list[str]) -> tuple[str, dict[str, str]]:
        """The message of a stack's journal line, and the error by name where the stack is whole."""
        newest = self.tracebacks.newest
        if newest is None or newest is self._told:
            return next((line for line in reversed(lines) if line.strip()), lines[0]), {}
        self._told = newest
        error = newest.message or newest.error_type
        return f"{newest.name}: {error}" if newest.message else newest.name, {"error": error, "error_type": newest.name}

    def _is_stack(self, text: str) -> bool:
        """Whether the line belongs to a stack; blank lines wait, because a chained one may follow them."""
        part = self.tracebacks.feed(text)
        if self.tracebacks.began:
            self.flush()
        if text.startswith(_CRASH):
            self.flush()
            self._crash = part = True
        elif self._stack and (not text.strip() or (self._crash and text.startswith((" ", "Current thread", "Thread")))):
            part = True
        if part:
            self._stack.append(text)
        return part

    def _line(self, piece: Piece) -> None:
        if not piece.text:
            return
        if not self._bucket.take():
            self.skipped(1, len(piece.text))
            return
        self._tell_skipped()
        fields: dict[str, Any] = {"redraws": piece.redraws} if piece.redraws else {}
        level = Level.WARN if _WARNING.search(piece.text) else Level.INFO
        self._append(self._event, piece.text, fields, level)

    def _redraw(self, piece: Piece) -> None:
        now = self._clock()
        if now - self._redraw_at >= _REDRAW_EVERY_S:
            self._redraw_at = now
            self._append(self._event, piece.text, {"redraw": True}, Level.DEBUG)

    def _tell_skipped(self) -> None:
        if not self._skipped_lines:
            return
        lines, size, self._skipped_lines, self._skipped_bytes = self._skipped_lines, self._skipped_bytes, 0, 0
        message = f"{lines} lines ({size} bytes) left out here; trainer/output.log has the newest of them"
        self._append(self._event, message, {"suppressed": lines, "suppressed_bytes": size}, Level.WARN)
