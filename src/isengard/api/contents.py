"""Something with bytes that can be sent: a file on this disk, or an object in the store of artifacts."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import anyio
from starlette.concurrency import iterate_in_threadpool

from isengard.core.errors import NotFound, StorageError
from isengard.execution.artifacts import ArtifactStore, Stored

_PIECE = 256 * 1024


class Content(Protocol):
    """Bytes with a name.

    Attributes:
        size: How many bytes there are to be sent; what is added meanwhile is not.
        modified: Seconds since the epoch.
        version: A short text that changes when the bytes do.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - the file's name
    @property
    def size(self) -> int: ...  # noqa: D102 - above
    @property
    def modified(self) -> float: ...  # noqa: D102 - above
    @property
    def version(self) -> str: ...  # noqa: D102 - above

    def pieces(self, part: range) -> AsyncIterator[bytes]:
        """Some of the bytes in a row. Raises `StorageError` if they cannot be had any more."""
        ...


@dataclass(frozen=True, slots=True)
class DiskFile:
    """A file of ours, as it was when it was looked at."""

    path: Path
    size: int
    modified: float
    version: str

    @classmethod
    def at(cls, path: Path) -> DiskFile:
        """The file at `path`; raises `NotFound`."""
        try:
            found = path.stat()
        except OSError:
            raise NotFound(f"there is no file {path.name!r} here", field="filename") from None
        return cls(path, found.st_size, found.st_mtime, _version(found))

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    async def pieces(self, part: range) -> AsyncIterator[bytes]:
        """Some of its bytes."""
        async with await anyio.open_file(self.path, "rb") as file:
            await file.seek(part.start)
            left = len(part)
            while left:
                piece = await file.read(min(_PIECE, left))
                if not piece:
                    raise StorageError(f"{self.name} became shorter while it was being sent")
                left -= len(piece)
                yield piece


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An object in the store of artifacts."""

    store: ArtifactStore
    stored: Stored

    @property
    def name(self) -> str:
        """The last part of its key."""
        return self.stored.name

    @property
    def size(self) -> int:
        """Bytes."""
        return self.stored.size

    @property
    def modified(self) -> float:
        """When it was stored."""
        return self.stored.modified

    @property
    def version(self) -> str:
        """As the store says."""
        return self.stored.version

    def pieces(self, part: range) -> AsyncIterator[bytes]:
        """Some of its bytes, passed on as they come."""
        return iterate_in_threadpool(self.store.read(self.stored.key, part))

    def signed(self, expires_s: int) -> str | None:
        """An address by which the client can fetch it from the store itself, where that is possible."""
        return self.store.signed(self.stored.key, expires_s)


def _version(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns:x}-{found.st_size:x}"
