"""What a backup of a data folder holds, file by file, and how much of a file that is being written.

Each job's journal is copied up to its last whole line, so a backup made while a training runs holds a whole prefix of
it. The database comes first: what happened since is in the journals, and those win. Positions of exporters and couriers
come before the journal they belong to, so that they never point behind its end. Writes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from isengard.core.errors import NotFound
from isengard.core.paths import DataDir, JobPaths, check_job_id

MANIFEST = "backup.json"
"""What the archive says of itself; its first file."""
FORMAT = 1

PACKED = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".safetensors", ".pt", ".ckpt", ".bin", ".zip", ".gz"})
"""Files that do not get smaller."""
_WEIGHTS = frozenset({".safetensors", ".pt", ".pth", ".ckpt", ".bin"})
_LINES = frozenset({".jsonl", ".log"})
_TOPS = frozenset({"uploads", "loras", "logs", "secrets", "isengard.db", "folder.id"})
_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Choice:
    """What a backup is to hold beside journals, images and LoRAs."""

    secrets: bool = False
    samples: bool = True
    checkpoints: bool = True


def is_safe(name: str) -> bool:
    """Whether a path inside the archive is one that a backup may hold, and stays in the folder it is restored to."""
    parts = name.split("/")
    plain = all(part not in ("", ".", "..") and part.isprintable() and "\\" not in part for part in parts)
    return plain and parts[0] in _TOPS and (parts[:2] != ["logs", "jobs"] or _is_job(parts[2:]))


def _is_job(parts: list[str]) -> bool:
    """Whether these are the parts of a path of a file in the folder of a job, from its folder on."""
    try:
        return len(parts) > 1 and check_job_id(parts[0]) == parts[0]
    except NotFound:
        return False


def files(data: DataDir, choice: Choice) -> Iterator[Path]:
    """Every file but the database, in the order in which it is to be copied."""
    yield data.identity
    if data.jobs.is_dir():
        for folder in sorted(data.jobs.iterdir()):
            if not folder.name.startswith(".") and not folder.is_symlink() and folder.is_dir():
                yield from _files_of_job(JobPaths(folder), choice)
    for service in ("api", "worker", "audit", "export"):
        yield from _below(data.service_logs(service), skip=frozenset({"events.idx", "writer.lock"}))
    yield from _below(data.root / "uploads")
    yield from _below(data.root / "loras")
    if choice.secrets:
        yield from _below(data.secrets)


def _files_of_job(paths: JobPaths, choice: Choice) -> Iterator[Path]:
    yield from sorted(paths.root.glob("*.position"))
    yield from (paths.journal, paths.torn, paths.spec)
    if choice.samples:
        yield from _below(paths.samples)
    if choice.checkpoints:
        yield from _below(paths.checkpoints)
    for path in _below(paths.trainer, skip=frozenset({paths.requests.name})):
        if choice.checkpoints or path.suffix not in _WEIGHTS:
            yield path


def _below(folder: Path, skip: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Files below `folder`; half-written ones, whose names begin with a dot, and links are none."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in skip and not name.startswith("."))
        for name in sorted(names):
            path = Path(root, name)
            half = name.startswith(".") or name.endswith(("-wal", "-shm"))
            if not half and name not in skip and path.is_file() and not path.is_symlink():
                yield path


def pieces(file: IO[bytes], name: str) -> Iterator[bytes]:
    """The content of the open file as it is now; of a file of lines the whole ones."""
    left = os.fstat(file.fileno()).st_size
    if Path(name).suffix in _LINES:
        left = _end_of_lines(file, left)
    file.seek(0)
    while left > 0 and (piece := file.read(min(_PIECE, left))):
        left -= len(piece)
        yield piece


def _end_of_lines(file: IO[bytes], size: int) -> int:
    """Where the last whole line within the first `size` bytes ends."""
    end = size
    while end > 0:
        start = max(0, end - _PIECE)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
