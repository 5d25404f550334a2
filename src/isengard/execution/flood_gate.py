"""Lets a trainer's output through until it is a flood; of a flood the beginning, what there is time for, and the end.

Redacting and reading output costs far more than printing it. What does not fit is counted, so that the trainer never
waits: of 100 MB/s that rotation would throw away within a second anyway, nobody misses the middle. After a gap output
goes on at the beginning of a line, because half a secret cannot be known as one.
"""

from __future__ import annotations

from isengard.execution.token_bucket import TokenBucket

BYTES_PER_S = 2 * 1024 * 1024
BYTES_BURST = 4 * 1024 * 1024
MAX_WAITING = 2 * 1024 * 1024
LINE_COST = 200
"""A line or redraw costs as much as so many bytes more: it is looked at by itself."""
_TAIL = 65_536


class FloodGate:
    """The gate of one stream.

    Args:
        bucket: How many bytes go through.
    """

    def __init__(self, bucket: TokenBucket | None = None) -> None:
        self._bucket = bucket or TokenBucket(BYTES_PER_S, BYTES_BURST)
        self._left_out = 0
        self._lines = 0
        self._tail = b""
        self._missed = (0, 0)

    def admit(self, data: bytes, waiting: int = 0) -> bytes:
        """What goes on now: `data`, with the end of what was left out before it, or nothing.

        Args:
            waiting: How many bytes that went through earlier are still to be worked on.
        """
        if waiting > MAX_WAITING or not self._bucket.take(len(data) + LINE_COST * _lines(data)):
            self._leave_out(data)
            return b""
        return self._behind_gap(data) if self._left_out else data

    def rest(self) -> bytes:
        """The stream is over: the end of what was left out last."""
        if not self._left_out:
            return b""
        return self._behind_gap(b"") or self._close_gap(self._tail, len(self._tail))

    def missed(self) -> tuple[int, int]:
        """Lines (and redraws) and bytes of the gaps that have closed since this was last asked."""
        missed, self._missed = self._missed, (0, 0)
        return missed

    def _leave_out(self, data: bytes) -> None:
        self._left_out += len(data)
        self._lines += _lines(data)
        self._tail = data[-_TAIL:] if len(data) >= _TAIL else (self._tail + data)[-_TAIL:]

    def _behind_gap(self, data: bytes) -> bytes:
        text = self._tail + data
        if self._left_out == len(self._tail):
            self._left_out, self._lines, self._tail = 0, 0, b""
            return text
        begin = _line_begin(text)
        if begin:
            return self._close_gap(text, begin)
        self._leave_out(data)  # a line that goes on and on
        return b""

    def _close_gap(self, text: bytes, begin: int) -> bytes:
        """Go on with `text`, which begins with the tail, from `begin`."""
        missing = self._left_out - len(self._tail) + begin
        lines = self._lines - _lines(self._tail) + _lines(text[:begin])
        self._missed = (self._missed[0] + lines, self._missed[1] + missing)
        self._left_out, self._lines, self._tail = 0, 0, b""
        return b"\n[isengard: %d bytes of a flood are left out here]\n%b" % (missing, text[begin:])


def _lines(data: bytes) -> int:
    return data.count(b"\n") + data.count(b"\r")


def _line_begin(text: bytes) -> int:
    """Where the first line or redraw begins that is there from its beginning; 0 for none."""
    ends = [place for place in (text.find(b"\n"), text.find(b"\r")) if place >= 0]
    return min(ends) + 1 if ends else 0
