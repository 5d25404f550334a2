"""Writes a `TrainingJob` to a file and reads it back: how it crosses into another process. Holds no secret."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from isengard.trainers.base import TrainingJob


def write_job(job: TrainingJob, path: Path) -> None:
    """Write `job` to `path` so that a reader sees the old file or the whole new one."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(job, enc_hook=_encode)))
    os.replace(partial, path)


def read_job(path: Path) -> TrainingJob:
    """Read what `write_job` wrote.

    Raises:
        OSError: The file cannot be read.
        ValueError: It does not hold a training job.
    """
    return msgspec.json.decode(path.read_bytes(), type=TrainingJob, dec_hook=_decode)


def _encode(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"a training job cannot hold a {type(value).__name__}")


def _decode(kind: type, value: Any) -> Any:
    return kind(value)
