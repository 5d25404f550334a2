"""Writes a job's journal: one writer at a time, numbered lines, each redacted and written with one call.

Lines that end something (`SYNCED`) are on the disk itself when `append` returns, all others within a second; see
`journal_file.py`. No training step waits for a disk. Whatever a caller puts into fields, it becomes a line.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from isengard.core.errors import StorageError
from isengard.core.paths import JobPaths
from isengard.core.redaction import Redactor
from isengard.events.models import TERMINAL_EVENTS, EventName, Level
from isengard.journal.journal_file import JournalFile
from isengard.journal.line_maker import LineMaker

SYNCED = TERMINAL_EVENTS | {EventName.TRAINING_CHECKPOINT}
"""Lines with one of these events are on the disk itself when `append` returns."""


class JournalWriter:
    """The one writer of a journal; safe to share between threads; a context manager. Use `open`.

    Attributes:
        redactor: What every line goes through.
    """

    def __init__(self, paths: JobPaths, *, service: str, redactor: Redactor, correlation_id: str) -> None:
        self._lines = LineMaker(paths.job_id, service=service, redactor=redactor, correlation_id=correlation_id)
        self._ended = False
        self.redactor = redactor
        self._file = JournalFile(paths, self._tell_of_fault)

    @classmethod
    def open(cls, paths: JobPaths, *, service: str, redactor: Redactor, correlation_id: str) -> Self:
        """Take the right to write; a torn end is set aside and the numbering goes on.

        Args:
            service: Who writes, as it stands in every line.
            redactor: Knows this job's secrets.

        Raises:
            JournalLocked: Another process writes this journal; the detail names it.
            StorageError: The folder or disk refuses.
        """
        return cls(paths, service=service, redactor=redactor, correlation_id=correlation_id)

    @property
    def last_seq(self) -> int:
        """Number of the last line, 0 for an empty journal."""
        return self._file.last_seq

    @property
    def fault(self) -> str | None:
        """What the disk said when it refused to confirm lines, which a power cut may lose; None if it never did."""
        return self._file.fault

    def append(
        self,
        event: str,
        msg: str = "",
        fields: Mapping[str, Any] | None = None,
        *,
        level: Level = Level.INFO,
        ts: str | None = None,
        correlation_id: str | None = None,
    ) -> int:
        """Write one line and return its number. When this returns, the line outlives the process.

        Args:
            event: An `EventName`.
            ts: When it happened, if not now.
            correlation_id: The request that caused this line, if not the one that all lines of this writer belong to.

        Raises:
            StorageError: The disk refused; no part of the line is in the file, its number goes to the next.
        """
        file = self._file
        with file.writing:
            seq = file.last_seq + 1
            file.put(self._lines.make(seq, ts, level, event, msg, fields, correlation_id))
        if event in SYNCED:
            self._ended = event in TERMINAL_EVENTS
            with contextlib.suppress(StorageError):  # the line is in the file; `fault` and `sync` tell of the disk
                file.sync()
        return seq

    def _tell_of_fault(self, detail: str) -> None:
        if not self._ended:  # nothing may follow a terminal line
            with contextlib.suppress(StorageError):
                self.append(
                    EventName.LOG, f"lines of this journal may be lost in a power cut: {detail}", level=Level.ERROR
                )

    def sync(self) -> None:
        """Wait until all lines are on the disk itself.

        Raises:
            StorageError: The disk refused. The lines are in the file but may be lost in a power cut; every later call
                fails as well.
        """
        self._file.sync()

    def close(self) -> None:
        """Sync and let somebody else write. Never fails: `fault` says whether the sync did."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
