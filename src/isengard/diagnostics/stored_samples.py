"""Sample images that are in the store of artifacts and not on this disk, brought here for a bundle, one at a time.

They lie in a folder of their own that goes with the bundle. Only the newest few stay until then, for the report; so a
bundle of many needs no room for all of them.
"""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from isengard.core.errors import NotFound
from isengard.core.paths import JobPaths
from isengard.core.settings import Settings
from isengard.execution.artifacts import Stored, delivers, open_artifacts
from isengard.execution.artifacts.store import job_key


class StoredSamples:
    """The samples of one job that only the store has; a context manager.

    Args:
        keep: How many of the newest stay until the end.

    Attributes:
        folder: Where those are.
    """

    def __init__(self, settings: Settings, paths: JobPaths, keep: int) -> None:
        self._store = open_artifacts(settings) if delivers(settings) else None
        self._paths = paths
        self._run = settings.paths.run
        self._kept: deque[Path] = deque()
        self._keep = keep
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._run.mkdir(parents=True, exist_ok=True)
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bundle-", dir=self._run)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def fetch(self) -> Iterator[Path]:
        """Each of them, oldest first, on this disk until the next is asked for. Raises `Unreachable`, OSError."""
        for stored in self._missing():
            path = self.folder / stored.name
            try:
                self._fetch(stored, path)
            except NotFound:  # removed since it was listed
                continue
            yield path
            self._kept.append(path)
            if len(self._kept) > self._keep:
                self._kept.popleft().unlink(missing_ok=True)

    def _fetch(self, stored: Stored, path: Path) -> None:
        assert self._store is not None  # noqa: S101 - it has listed this one
        self._store.fetch(stored.key, path)
        os.utime(path, (stored.modified, stored.modified))

    def _missing(self) -> list[Stored]:
        if self._store is None:
            return []
        prefix = job_key(self._paths.job_id, "samples")
        listed = [each for each in self._store.list(prefix) if each.key == f"{prefix}/{each.name}"]
        return sorted(
            (each for each in listed if not (self._paths.samples / each.name).exists()), key=lambda each: each.modified
        )
