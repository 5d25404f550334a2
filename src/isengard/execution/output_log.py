"""The trainer's output in ``trainer/output.log``: as it was written, redacted by whoever hands it over, rotated.

A disk that refuses never disturbs the training: the log goes silent and is tried again.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

MAX_BYTES = 16 * 1024 * 1024
KEEP = 3
_RETRY_S = 10.0


class OutputLog:
    """Takes both streams, in which no secret is left, in the order their bytes arrive.

    Args:
        path: The newest part; older ones are ``output.log.1`` (newest) to ``.3``.
        max_bytes: When a new part is begun.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._descriptor: int | None = None
        self._size = 0
        self._retry_at = 0.0
        self.fault: str | None = None

    def show(self, stream: str, data: bytes) -> None:
        """Nothing: a log keeps only what is redacted."""

    def write(self, stream: str, data: bytes) -> None:
        """Append the next bytes of ``stdout`` or ``stderr``."""
        self._put(data)

    def close(self) -> None:
        """Nothing more comes."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

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
