"""Writes a job's journal: one writer at a time, numbered lines, each redacted and written with one call.

When `append` returns, the line is in the file: it outlives the process. It outlives a power cut once it is synced,
which happens at once for lines that end something (`SYNCED`). Never reads the journal but to find its end, and never
knows who reads it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from isengard.core.errors import StorageError
from isengard.core.paths import JobPaths
from isengard.core.redaction import Redactor
from isengard.events.models import TERMINAL_EVENTS, EventName, Level
from isengard.journal.append_file import AppendFile
from isengard.journal.repair import mend
from isengard.journal.timestamps import TimestampClock
from isengard.journal.writer_lock import WriterLock

SYNCED = TERMINAL_EVENTS | {EventName.TRAINING_CHECKPOINT}
"""Lines with one of these events are on the disk itself when `append` returns."""


class JournalWriter:
    """The one writer of a journal; safe to share between threads. Use `open`."""

    def __init__(
        self, paths: JobPaths, lock: WriterLock, *, service: str, redactor: Redactor, correlation_id: str
    ) -> None:
        self._paths = paths
        self._writing = threading.Lock()
        self._lock = lock
        self._service = service
        self._redactor = redactor
        self._correlation_id = correlation_id
        self._clock = TimestampClock()
        self._file = AppendFile(paths.journal)
        end = mend(paths, self._file.fd)
        self._file.size = end.size
        self._seq = end.seq

    @classmethod
    def open(cls, paths: JobPaths, *, service: str, redactor: Redactor, correlation_id: str) -> Self:
        """Take the right to write; a torn end is set aside and the numbering goes on.

        Raises:
            JournalLocked: Another process writes this journal; the detail names it.
            StorageError: The folder or disk refuses.
        """
        lock = WriterLock(paths)
        try:
            return cls(paths, lock, service=service, redactor=redactor, correlation_id=correlation_id)
        except BaseException:
            lock.release()
            raise

    @property
    def last_seq(self) -> int:
        """Number of the last line, 0 for an empty journal."""
        return self._seq

    def append(
        self,
        event: str,
        msg: str = "",
        fields: Mapping[str, Any] | None = None,
        *,
        level: Level = Level.INFO,
        ts: str | None = None,
    ) -> int:
        """Write one line and return its number.

        Raises:
            StorageError: The disk refused; no part of the line is in the file, its number goes to the next.
        """
        with self._writing:
            seq = self._seq + 1
            line = self._redactor.dumps(
                {
                    "seq": seq,
                    "ts": ts or self._clock.now(),
                    "level": level,
                    "event": event,
                    "msg": msg,
                    "service": self._service,
                    "job_id": self._paths.job_id,
                    "correlation_id": self._correlation_id,
                    "fields": fields or {},
                }
            )
            self._file.append(line)
            self._seq = seq
        if event in SYNCED:
            self.sync()
        return seq

    def sync(self) -> None:
        """Wait until all lines are on the disk; raises `StorageError`."""
        try:
            self._file.sync()
        except OSError as error:
            raise StorageError(f"{self._paths.journal} is not safe on its disk: {error.strerror}") from error

    def close(self) -> None:
        """Let somebody else write."""
        self._file.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
