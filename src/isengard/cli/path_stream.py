"""A file that is open only while it is read: a folder of thousands can be handed on without a descriptor for each."""

from __future__ import annotations

import io
import os
from pathlib import Path

from typing_extensions import Buffer


class PathStream(io.RawIOBase):
    """Reads `path` from wherever it stands; each read opens the file anew."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Fill `buffer` as far as there is something left."""
        with self._path.open("rb", buffering=0) as file:
            file.seek(self._at)
            count = file.readinto(buffer) or 0
        self._at += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Stand elsewhere."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence)
        self._at = max(0, offset + (self._path.stat().st_size if start is None else start))
        return self._at

    def tell(self) -> int:
        """Where it stands."""
        return self._at
