"""Finds the checkpoint a resumed run goes on from: the newest that the journal names and that is whole on disk.

A file that lies there without a journal line was not finished when its run died, and is never used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isengard.core.paths import JobPaths
from isengard.events.models import EventName
from isengard.journal import JournalReader
from isengard.trainers.weights import is_whole


@dataclass(frozen=True, slots=True)
class Start:
    """Where a run begins: `checkpoint` is None and `step` 0 for a fresh one."""

    step: int = 0
    checkpoint: Path | None = None


def newest(paths: JobPaths) -> Start:
    """The newest whole checkpoint of the job on this disk, or the beginning."""
    return next((start for start in named(paths) if is_here(start)), Start())


def named(paths: JobPaths) -> Iterator[Start]:
    """The checkpoints that the journal names, newest first, wherever their files are."""
    if not paths.journal.exists():
        return
    reader = JournalReader(paths)
    offset = 0
    while True:
        page = reader.page(events=[EventName.TRAINING_CHECKPOINT], limit=100, offset=offset, order="desc")
        for entry in page.entries:
            name, step = entry.fields.get("checkpoint_path"), entry.fields.get("step")
            if isinstance(name, str) and isinstance(step, int) and Path(name).name == name:
                yield Start(step, paths.checkpoints / name)
        if not page.has_more:
            return
        offset += len(page.entries)


def is_here(start: Start) -> bool:
    """Whether the checkpoint is whole on this disk."""
    return start.checkpoint is not None and whole(start.checkpoint)


def whole(path: Path) -> bool:
    """Whether `path` is a finished checkpoint: every safetensors file in it complete, nothing in it empty."""
    if path.is_file():
        return is_whole(path) if path.suffix == ".safetensors" else path.stat().st_size > 0
    files = [file for file in path.rglob("*") if file.is_file()]
    return bool(files) and all(is_whole(file) for file in files if file.suffix == ".safetensors")
