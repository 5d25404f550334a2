"""Brings a checkpoint back from the store of artifacts where this host's disk does not have it: a resume elsewhere.

The journal says which checkpoint is the newest; the disk is looked at first.
"""

from __future__ import annotations

from isengard.core.paths import JobPaths
from isengard.execution import checkpoints
from isengard.execution.artifacts.folder import FolderStore
from isengard.execution.artifacts.job_upload import STATES
from isengard.execution.artifacts.store import ArtifactStore, job_key
from isengard.execution.checkpoints import Start


def newest(paths: JobPaths, store: ArtifactStore) -> Start:
    """The newest checkpoint that is whole here or in the store. Raises `Unreachable`."""
    for start in checkpoints.named(paths):
        if checkpoints.is_here(start) or _is_stored(paths, start, store):
            return start
    return Start()


def bring_newest(paths: JobPaths, store: ArtifactStore) -> Start:
    """The newest checkpoint, with all that a resume needs on this host's disk.

    Raises:
        Unreachable: The store does not answer; whether it has a newer one is not known.
        OSError: The disk refused.
    """
    start = newest(paths, store)
    if start.checkpoint is not None and not checkpoints.is_here(start):
        for key in _keys(paths, start, store):
            store.fetch(key, paths.root.joinpath(*key.split("/")[3:]))
    return start


def _is_stored(paths: JobPaths, start: Start, store: ArtifactStore) -> bool:
    """Whether the store has a copy; the damaged file itself, where the store is this folder, is none."""
    assert start.checkpoint is not None  # noqa: S101 - `named` gives no others
    own = job_key(paths.job_id, "checkpoints", start.checkpoint.name)
    if isinstance(store, FolderStore) and store.is_at(own, start.checkpoint):
        return False
    return any(True for _ in _keys(paths, start, store))


def _keys(paths: JobPaths, start: Start, store: ArtifactStore) -> list[str]:
    """The objects that make up a checkpoint: states first, then the file or folder that the journal names."""
    assert start.checkpoint is not None  # noqa: S101 - `named` gives no others
    name, stem = start.checkpoint.name, start.checkpoint.stem
    own = job_key(paths.job_id, "checkpoints", name)
    found = [own] if store.find(own) else [stored.key for stored in store.list(own)]
    if not found:
        return []
    states = store.list(job_key(paths.job_id, "checkpoints", STATES))
    return [*(stored.key for stored in states if stored.name.rpartition(".")[0] == stem), *found]
