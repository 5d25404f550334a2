"""A file that is only ever appended to, all of a piece or not at all. Knows nothing of lines, numbers or locks."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from isengard.core.errors import StorageError


class AppendFile:
    """A file open for appending.

    After a write that failed the file ends where it ended before it. If even that cannot be had (the disk refuses the
    cut as well), the next append tries again before it writes.

    Args:
        path: Created when missing, readable by the owner and their group.

    Attributes:
        fd: The descriptor, open for reading as well; -1 once closed.
        size: Where the file ends.

    Raises:
        StorageError: The file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self.fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise StorageError(f"{path} cannot be opened for writing: {error.strerror}") from error
        self.size = os.fstat(self.fd).st_size
        self._is_ragged = False
        self._sync_error: OSError | None = None

    def append(self, data: bytes) -> None:
        """Write all of `data` at the end; raises `StorageError` after taking back what was written of it."""
        if self._is_ragged:
            self._cut()
        try:
            written = os.write(self.fd, data)
            while written < len(data):
                written += os.write(self.fd, data[written:])
        except OSError as error:
            self._is_ragged = True
            self._try_to_cut()
            raise StorageError(f"{self._path} cannot be written: {error.strerror}") from error
        self.size += len(data)

    def _try_to_cut(self) -> None:
        with contextlib.suppress(StorageError):  # the next append tries again, and says so if it fails
            self._cut()

    def _cut(self) -> None:
        try:
            os.ftruncate(self.fd, self.size)
        except OSError as error:
            raise StorageError(f"{self._path} cannot be mended: {error.strerror}") from error
        self._is_ragged = False

    def sync(self) -> None:
        """Wait until what was appended survives a power cut; raises `StorageError`.

        Once the disk has refused, every later call fails too: the system forgets what it could not write, and a second
        try would call lost data safe.
        """
        if self._sync_error is None:
            try:
                sync_data(self.fd)
            except OSError as error:
                self._sync_error = error
        if self._sync_error is not None:
            raise StorageError(f"{self._path} is not safe on its disk: {self._sync_error.strerror}")

    def close(self) -> None:
        """Close the file; appending fails from now on."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def sync_data(fd: int) -> None:
    """``fdatasync`` where there is one (macOS has none), else ``fsync``."""
    getattr(os, "fdatasync", os.fsync)(fd)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut; raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
