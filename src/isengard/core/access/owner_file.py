"""A small JSON file that only its owner may read and that several processes change. Knows nothing of what is in it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isengard.core.errors import StorageError
from isengard.core.locks import waiting_for

Content = dict[str, Any]


class OwnerFile:
    """One file.

    Args:
        path: Where it is, or will be; its folder is made for the owner alone.
        empty: Makes what a file holds that is not there yet.
    """

    def __init__(self, path: Path, empty: Callable[[], Content]) -> None:
        self._path = path
        self._empty = empty
        self._seen: tuple[tuple[int, int, int], Content] | None = None

    def read(self) -> Content:
        """What it holds; a file that another process changed is read again.

        Raises:
            StorageError: It cannot be read or is damaged. It is not taken for an empty one: that would let people in
                who were sent away, or lock everybody out for good.
        """
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return self._empty()
        stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if self._seen is None or self._seen[0] != stamp:
            self._seen = (stamp, self._load())
        return self._seen[1]

    @contextmanager
    def changing(self) -> Iterator[Content]:
        """Hold the file and put what the body makes of its content in place, whole or not at all."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with waiting_for(self._path.with_suffix(".lock")):
            content = self._load() if self._path.exists() else self._empty()
            before = json.dumps(content)
            yield content
            if json.dumps(content) != before or not self._path.exists():
                self._write(content)

    def _load(self) -> Content:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except OSError as error:
            raise self.damaged(error.strerror or "the disk refused it") from error
        except ValueError as error:
            raise self.damaged(str(error)) from error
        if not isinstance(content, dict):
            raise self.damaged("it holds no JSON object")
        return {**self._empty(), **content}

    def damaged(self, why: str) -> StorageError:
        """The error that says the file is of no use; names no place on this machine, for strangers see it, too."""
        return StorageError(f"{self._path.parent.name}/{self._path.name} in the data folder cannot be read: {why}")

    def _write(self, content: Content) -> None:
        partial = self._path.with_suffix(".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)
