"""Turns the bytes of one output stream into lines: progress-bar redraws folded, control codes gone, memory bounded.

A line ends with LF; what stands before a lone CR is a redraw, a frame of a progress bar that the next one paints over.
Never blocks, never keeps more than `MAX_PENDING` bytes, whatever the program writes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_PENDING = 65_536
"""Bytes of a line without end that are kept; the rest is counted and dropped."""
MAX_CHARACTERS = 8_192
"""Characters of a line that reach the journal."""

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)"  # OSC and other strings: titles, links
    r"|\x1b[ -/]*[0-~]?"  # two-byte escapes
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Piece:
    """One line, or one redraw of a line that is not finished.

    Attributes:
        redraw: The line goes on; `text` is what it shows now.
        redraws: For a finished line, how many frames it painted over.
    """

    text: str
    redraw: bool = False
    redraws: int = 0


class LineFolder:
    """Feed it bytes as they come; it gives back lines and redraws in order."""

    def __init__(self) -> None:
        self._pending = b""
        self._dropped = 0
        self._redraws = 0
        self._shown = b""

    def feed(self, data: bytes) -> list[Piece]:
        """Take the next bytes."""
        head, *rest = data.split(b"\n")
        if not rest:
            return self._extend(head)
        pieces = self._extend(head)
        pieces.append(self._finish())
        pieces.extend(self._whole_line(line) for line in rest[:-1])
        pieces.extend(self._extend(rest[-1]))
        return [piece for piece in pieces if piece.text or not piece.redraw]

    def idle(self, more: bytes = b"") -> list[Piece]:
        """Nothing came for a while: show the frame that stands there unfinished, once.

        Args:
            more: What stands there too and has not been handed over yet.
        """
        pending = self._pending + more
        if not (self._redraws or b"\r" in pending) or not pending or pending == self._shown:
            return []
        self._shown = pending
        text = clean(pending.rstrip(b"\r").rpartition(b"\r")[2])
        return [Piece(text, redraw=True)] if text else []

    def end(self) -> list[Piece]:
        """The stream is over: the last line, if it had no end."""
        return [self._finish()] if self._pending or self._dropped else []

    def _extend(self, data: bytes) -> list[Piece]:
        """Add to the unfinished line; frames that a CR completes come back as redraws."""
        if len(self._pending) >= MAX_PENDING and b"\r" not in data:
            self._dropped += len(data)
            return []
        self._pending += data
        # A CR at the very end may belong to CR LF: it is looked at when more comes.
        *frames, last = self._pending[:-1].split(b"\r") if self._pending.endswith(b"\r") else self._pending.split(b"\r")
        if self._pending.endswith(b"\r"):
            last += b"\r"
        pieces = [Piece(text, redraw=True) for frame in frames if (text := clean(frame))]
        self._redraws += len(frames)
        self._pending = last
        if len(last) > MAX_PENDING:
            self._dropped += len(last) - MAX_PENDING
            self._pending = last[:MAX_PENDING]
        return pieces

    def _finish(self) -> Piece:
        piece = Piece(clean(self._pending.removesuffix(b"\r"), self._dropped), redraws=self._redraws)
        self._pending, self._shown, self._dropped, self._redraws = b"", b"", 0, 0
        return piece

    def _whole_line(self, line: bytes) -> Piece:
        if b"\r" not in line:
            return Piece(clean(line))
        frames = line.removesuffix(b"\r").split(b"\r")
        return Piece(clean(frames[-1]), redraws=len(frames) - 1)


def clean(line: bytes, dropped: int = 0) -> str:
    """`line` as inert text: valid Unicode, no escape sequences, no control characters but tabs, of bounded length."""
    text = line.decode("utf-8", "replace")
    if not text.isprintable():
        text = _CONTROLS.sub("", _ESCAPES.sub("", text))
    text = text.rstrip()
    left_out = len(text) - MAX_CHARACTERS + dropped
    if left_out > 0:
        text = f"{text[:MAX_CHARACTERS]} … ({left_out} more)"
    return text
