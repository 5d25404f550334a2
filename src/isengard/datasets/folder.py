"""The folder of a character's images, and the lock under which names in it are given and taken.

The lock is on the folder itself (`flock`), so it needs no file, vanishes with its process and holds between processes.
Knows nothing of the database.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isengard.core.errors import NotFound, StorageError
from isengard.core.paths import DataDir
from isengard.datasets import names
from isengard.datasets.containers import MEDIA_TYPES

_STAGING = ".staging-"
_STORED = re.compile(r"[^./\\\x00][^/\\\x00]{0,254}")


class UploadFolder:
    """``uploads/{character_id}/``; made on first use."""

    def __init__(self, data: DataDir, character_id: str) -> None:
        self.root = data.uploads(character_id)
        self._character_id = character_id

    def make(self) -> None:
        """Create it; raises `StorageError`."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"the folder for the images cannot be made: {error.strerror}") from error

    def path(self, filename: str) -> Path:
        """Where an image of this name lies; raises `NotFound` for a name that cannot be one or a symbolic link."""
        path = self.root / filename
        if not _is_image_name(filename) or not path.is_file() or path.is_symlink():
            raise NotFound(f"character {self._character_id} has no image {names.shown(filename)!r}", field="filename")
        return path

    def images(self) -> list[Path]:
        """The image files that are there, by name; links and unfinished uploads are left out."""
        try:
            with os.scandir(self.root) as entries:
                found = [entry.name for entry in entries if _is_image_name(entry.name) and _is_plain_file(entry)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"the folder of the images cannot be read: {error.strerror}") from error
        return [self.root / name for name in sorted(found)]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else gives or takes names meanwhile. Short: no decoding and no reading of uploads inside."""
        self.make()
        descriptor = _lock(self.root, fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder on the same file system for what is not yet accepted; gone afterwards whatever happens.

        It is locked as long as it is used, so what a killed process left behind is known by its free lock, and the
        next upload takes it away.
        """
        with self.locked():  # so that nobody finds the new folder before it is locked
            self._clear_dead()
            staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self.root))
            descriptor = _lock(staging, fcntl.LOCK_EX)
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            os.close(descriptor)

    def _clear_dead(self) -> None:
        for left in self.root.glob(f"{_STAGING}*"):
            try:
                descriptor = _lock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # in use, or just gone
                continue
            shutil.rmtree(left, ignore_errors=True)
            os.close(descriptor)

    def remove(self) -> None:
        """Delete the folder with everything in it; raises `StorageError`."""
        try:
            if self.root.exists():
                shutil.rmtree(self.root)
        except OSError as error:
            raise StorageError(f"the images could not all be removed: {error.strerror}") from error


def _is_image_name(name: str) -> bool:
    return _STORED.fullmatch(name) is not None and names.split(name)[1].lower() in MEDIA_TYPES


def _is_plain_file(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False)


def _lock(folder: Path, how: int) -> int:
    """Lock a folder itself; the descriptor that holds the lock until it is closed. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
