"""Puts a finished LoRA where people look for it. A training has only succeeded when this has."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from isengard.core.errors import TrainingFailed
from isengard.trainers.weights import read_header


def check(path: Path) -> int:
    """How many tensors the LoRA at `path` holds.

    Raises:
        TrainingFailed: It is not there, or not whole.
    """
    try:
        header = read_header(path)
    except FileNotFoundError:
        raise TrainingFailed(
            f"the trainer ended without an error but left no LoRA at {path.name}", error_type="NoOutput"
        ) from None
    except (OSError, ValueError) as error:
        raise TrainingFailed(
            f"the trainer's LoRA {path.name} is damaged: {error}", error_type="DamagedOutput"
        ) from None
    tensors = sum(name != "__metadata__" for name in header)
    if tensors == 0:
        raise TrainingFailed(f"the trainer's LoRA {path.name} holds no tensor", error_type="DamagedOutput")
    return tensors


def publish(source: Path, target: Path) -> None:
    """Move a checked LoRA to `target`, which is there whole or not at all; raises `TrainingFailed`."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _move(source, partial)
        _flush(partial)
        os.replace(partial, target)
        _flush(target.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise TrainingFailed(
            f"the LoRA cannot be put into {target.parent}: {error.strerror}", error_type="ExportFailed"
        ) from error


def _move(source: Path, target: Path) -> None:
    """A second name where the file system allows it, a copy where it does not; the trainer's own file stays."""
    target.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
