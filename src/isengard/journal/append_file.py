"""A file that is only ever appended to, all of a piece or not at all. Knows nothing of lines, numbers or locks."""

from __future__ import annotations

import os
from pathlib import Path

from isengard.core.errors import StorageError


class AppendFile:
    """The journal's file, open for appending.

    After a write that failed the file ends where it ended before it. If even that cannot be had (the disk refuses the
    cut as well), the next append tries again before it writes.

    Args:
        path: Created when missing, readable by the owner and their group.

    Raises:
        StorageError: The file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise StorageError(f"{path} cannot be opened for writing: {error.strerror}") from error
        self.size = os.fstat(self._fd).st_size
        self._ragged = False

    @property
    def fd(self) -> int:
        """The file descriptor."""
        return self._fd

    def append(self, data: bytes) -> None:
        """Write all of `data` at the end; raises `StorageError` after taking back what was written of it."""
        if self._ragged:
            self._cut()
        try:
            written = os.write(self._fd, data)
            if written != len(data):
                self._append_rest(data, written)
        except OSError as error:
            self._take_back()
            raise StorageError(f"{self._path} cannot be written: {error.strerror}") from error
        self.size += len(data)

    def _append_rest(self, data: bytes, written: int) -> None:
        while written < len(data):
            written += os.write(self._fd, data[written:])

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._fd, self.size)
        except OSError:
            self._ragged = True

    def _cut(self) -> None:
        try:
            os.ftruncate(self._fd, self.size)
        except OSError as error:
            raise StorageError(f"{self._path} cannot be mended: {error.strerror}") from error
        self._ragged = False

    def sync(self) -> None:
        """Wait until what was appended survives a power cut; raises OSError."""
        sync_data(self._fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


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
