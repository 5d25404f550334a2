"""Finds the checkpoint a resumed run goes on from: the newest that the journal names and that is whole on disk.

A file that lies there without a journal line was not finished when its run died, and is never used.
"""

from __future__ import annotations

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
    """The newest whole checkpoint of the job, or the beginning."""
    if not paths.journal.exists():
        return Start()
    reader = JournalReader(paths)
    offset = 0
    while True:
        page = reader.page(events=[EventName.TRAINING_CHECKPOINT], limit=100, offset=offset, order="desc")
        for entry in page.entries:
            start = _usable(paths, entry.fields)
            if start is not None:
                return start
        if not page.has_more:
            return Start()
        offset += len(page.entries)


def _usable(paths: JobPaths, fields: dict[str, object]) -> Start | None:
    name, step = fields.get("checkpoint_path"), fields.get("step")
    if not isinstance(name, str) or not isinstance(step, int) or Path(name).name != name:
        return None
    path = paths.checkpoints / name
    return Start(step, path) if whole(path) else None


def whole(path: Path) -> bool:
    """Whether `path` is a finished checkpoint: every safetensors file in it complete, nothing in it empty."""
    if path.is_file():
        return is_whole(path) if path.suffix == ".safetensors" else path.stat().st_size > 0
    files = [file for file in path.rglob("*") if file.is_file()]
    return bool(files) and all(is_whole(file) for file in files if file.suffix == ".safetensors")
