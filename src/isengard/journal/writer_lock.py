"""The right to write a journal: an exclusive lock on ``writer.lock``, gone with the process that holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time

from isengard.core.errors import JournalLocked, StorageError
from isengard.core.paths import JobPaths

_PATIENCE_S = 0.05
"""A reader that puts a new index in place holds the lock for less than a millisecond: worth waiting for."""


class WriterLock:
    """Holds the lock from the moment it is made until `release`.

    Raises:
        JournalLocked: Somebody else holds it; the detail names their process id.
        StorageError: The lock file cannot be opened.
    """

    def __init__(self, paths: JobPaths) -> None:
        try:
            self._fd = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise StorageError(f"{paths.lock} cannot be opened: {error.strerror}") from error
        try:
            self._take(paths)
        except BaseException:
            os.close(self._fd)
            raise
        with contextlib.suppress(OSError):  # the number is for people; a full disk must not keep the journal shut
            os.pwrite(self._fd, b"%-10d\n" % os.getpid(), 0)

    def _take(self, paths: JobPaths) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not try_lock(self._fd):
            if time.monotonic() > deadline:
                holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
                raise JournalLocked(f"the journal of {paths.job_id} is being written by process {holder}")
            time.sleep(0.002)

    def release(self) -> None:
        """Let somebody else write."""
        os.close(self._fd)


def try_lock(fd: int) -> bool:
    """Take an exclusive lock on an open file without waiting."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
