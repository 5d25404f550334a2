"""A folder as a store of artifacts: the data folder itself, or a mounted share (``file:///mnt/share``)."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from isengard.core.errors import NotFound, Unreachable
from isengard.execution.artifacts.atomic_write import PARTIAL, atomic_write
from isengard.execution.artifacts.store import Stored, check_key

_PIECE = 256 * 1024


class FolderStore:
    """Keeps each object as a file of the same name below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def shown(self) -> str:
        """Its path as an address."""
        return f"file://{self._root}"

    def find(self, key: str) -> Stored | None:
        """The object `key`, None if there is none."""
        path = self._path(key)
        try:
            return _stored(key, path.stat()) if path.is_file() else None
        except OSError as error:
            raise self._refused(error) from error

    def list(self, prefix: str) -> Iterator[Stored]:
        """The objects below `prefix`, by name; what is still being written is none."""
        for folder, folders, names in os.walk(self._path(prefix)):
            folders.sort()
            for name in sorted(names):
                if not name.endswith(PARTIAL):
                    path = Path(folder, name)
                    with contextlib.suppress(FileNotFoundError):
                        yield _stored(path.relative_to(self._root).as_posix(), path.stat())

    def read(self, key: str, part: range) -> Iterator[bytes]:
        """Some bytes of an object, in pieces."""
        try:
            file = self._path(key).open("rb")
        except FileNotFoundError:
            raise NotFound(f"there is no artifact {key}", field="key") from None
        except OSError as error:
            raise self._refused(error) from error
        with file:
            file.seek(part.start)
            left = len(part)
            while left and (piece := file.read(min(_PIECE, left))):
                left -= len(piece)
                yield piece

    def put(self, key: str, path: Path, notes: Path | None = None) -> Stored:
        """Copy the file to its place, beside it first; nothing happens if it is in its place already."""
        self.check()
        target = self._path(key)
        with path.open("rb") as source:
            try:
                if not (target.exists() and os.path.samestat(os.fstat(source.fileno()), target.stat())):
                    with atomic_write(target) as partial:
                        shutil.copyfileobj(source, partial, 1024 * 1024)
                return _stored(key, target.stat())
            except OSError as error:
                raise self._refused(error) from error

    def abandon(self, notes: Path) -> None:
        """Nothing: a copy that was interrupted is made anew over what it left."""

    def fetch(self, key: str, target: Path) -> None:
        """Copy an object to `target`."""
        try:
            source = self._path(key).open("rb")
        except FileNotFoundError:
            raise NotFound(f"there is no artifact {key}", field="key") from None
        with source, atomic_write(target) as partial:
            shutil.copyfileobj(source, partial, 1024 * 1024)

    def remove(self, key: str) -> None:
        """Remove an object."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            raise self._refused(error) from error

    def remove_below(self, prefix: str) -> int:
        """Remove a folder of objects."""
        count = sum(1 for _ in self.list(prefix))
        with contextlib.suppress(FileNotFoundError):
            try:
                shutil.rmtree(self._path(prefix))
            except PermissionError as error:
                raise self._refused(error) from error
        return count

    def signed(self, key: str, expires_s: int) -> str | None:
        """None: a folder has no addresses to give away."""
        return None

    def check(self) -> None:
        """Raise `Unreachable` unless it is a folder we can write to: an unmounted share is neither."""
        if not self._root.is_dir() or not os.access(self._root, os.W_OK | os.X_OK):
            raise Unreachable(f"the artifact store {self.shown} is no folder that can be written to")

    def is_at(self, key: str, path: Path) -> bool:
        """Whether `path` is the very file or folder that is kept under `key`, and no copy of it."""
        try:
            return os.path.samefile(self._path(key), path)
        except OSError:
            return False

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _refused(self, error: OSError) -> Unreachable:
        return Unreachable(f"the artifact store {self.shown} refuses: {error.strerror or error}")


def _stored(key: str, found: os.stat_result) -> Stored:
    return Stored(key, found.st_size, found.st_mtime, f"{found.st_mtime_ns:x}-{found.st_size:x}")
