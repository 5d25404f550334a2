"""Keeps a copy of a journal that is written on another host: the same lines under the same numbers in the same format.

Takes lines from wherever they come, each once and in order, and never makes one of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from isengard.core.errors import Conflict
from isengard.core.paths import JobPaths
from isengard.journal.entry import Entry
from isengard.journal.journal_file import JournalFile


class JournalReplica:
    """The one writer of a copy; a context manager.

    Raises:
        JournalLocked: Another process writes this journal; the detail names it.
        StorageError: The folder or disk refuses.
    """

    def __init__(self, paths: JobPaths) -> None:
        self._job_id = paths.job_id
        self._file = JournalFile(paths, lambda detail: None)

    @property
    def last_seq(self) -> int:
        """Number of the last line the copy has."""
        return self._file.last_seq

    def take(self, lines: Sequence[bytes]) -> int:
        """Append those of the lines (in order, without line feeds) that the copy lacks; returns how many that were.

        Raises:
            Conflict: They do not follow the last line: there is a gap, or a line is not of this job or no single line.
                Nothing was taken.
            StorageError: The disk refused one; those before it were taken.
        """
        with self._file.writing:
            missing: list[bytes] = []
            for line in lines:
                entry = Entry.parse(line)
                wanted = self._file.last_seq + len(missing) + 1
                if b"\n" in line:
                    raise Conflict(f"line {entry.seq} of {self._job_id} holds a line feed")
                if entry.job_id != self._job_id:
                    raise Conflict(f"line {entry.seq} belongs to job {entry.job_id}, not {self._job_id}")
                if entry.seq > wanted:
                    raise Conflict(f"line {entry.seq} of {self._job_id} came where line {wanted} should follow")
                if entry.seq == wanted:
                    missing.append(line)
            for line in missing:  # one by one: of several that a disk takes in part, readers would see some go again
                self._file.put(line + b"\n")
            return len(missing)

    def sync(self) -> None:
        """Wait until all lines are on the disk itself; then the origin may forget them. Raises `StorageError`."""
        self._file.sync()

    def close(self) -> None:
        """Sync and let somebody else write."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
