"""The trainer's output in ``trainer/output.log``: as it was written, redacted by whoever hands it over, rotated.

A disk that refuses never disturbs the training: the log goes silent and is tried again. Of a flood that rotation would
throw away within seconds anyway, the beginning and the end are written and the middle is counted.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from isengard.execution.rates import TokenBucket

MAX_BYTES = 16 * 1024 * 1024
KEEP = 3
BYTES_PER_S = 8 * 1024 * 1024
BYTES_BURST = 32 * 1024 * 1024
_TAIL = 65_536
_RETRY_S = 10.0


@dataclass(slots=True)
class _Stream:
    """One stream on its way into the log: what was left out since the last write, and the end of that."""

    left_out: int = 0
    tail: bytes = b""


class OutputLog:
    """Takes both streams, in which no secret is left, in the order their bytes arrive.

    Args:
        path: The newest part; older ones are ``output.log.1`` (newest) to ``.3``.
        bucket: How many bytes are written before it counts as a flood.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, bucket: TokenBucket | None = None) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._streams = {name: _Stream() for name in ("stdout", "stderr")}
        self._bucket = bucket or TokenBucket(BYTES_PER_S, BYTES_BURST)
        self._descriptor: int | None = None
        self._size = 0
        self._retry_at = 0.0
        self.fault: str | None = None

    def show(self, stream: str, data: bytes) -> None:
        """Nothing: a log keeps only what is redacted."""

    def write(self, stream: str, data: bytes) -> None:
        """Append the next bytes of ``stdout`` or ``stderr``."""
        state = self._streams[stream]
        if self._bucket.take(len(data)):
            self._catch_up(state)
            self._put(data)
        else:
            state.left_out += len(data)
            state.tail = (state.tail + data)[-_TAIL:]

    def close(self) -> None:
        """Write the end of what was left out and close."""
        for state in self._streams.values():
            self._catch_up(state)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _catch_up(self, state: _Stream) -> None:
        """Tell what was left out and write the end of it, from a line's beginning."""
        missing = state.left_out - len(state.tail)
        if missing:
            _, _, end = state.tail.partition(b"\n")
            missing += len(state.tail) - len(end)
            self._put(b"\n[isengard: %d bytes of a flood are left out here]\n" % missing)
            state.tail = end
        if state.left_out:
            self._put(state.tail)
        state.left_out, state.tail = 0, b""

    def _put(self, data: bytes) -> None:
        if not data or (self.fault and time.monotonic() < self._retry_at):
            return
        try:
            if self._descriptor is None or self._size >= self._max_bytes:
                self._open()
            assert self._descriptor is not None  # noqa: S101 - for the type checker
            self._size += os.write(self._descriptor, data)
            self.fault = None
        except OSError as error:
            self.fault = error.strerror or str(error)
            self._retry_at = time.monotonic() + _RETRY_S

    def _open(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            self._rotate()
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        for number in range(KEEP, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number - 1}") if number > 1 else self._path
            if older.exists():
                os.replace(older, self._path.with_name(f"{self._path.name}.{number}"))
