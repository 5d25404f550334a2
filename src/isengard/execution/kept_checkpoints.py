"""Keeps a checkpoint whatever its trainer does: a second name for the same bytes in ``checkpoints/.kept/``.

Trainers remove older checkpoints to save space and know nothing of what a person wants to keep. A hard link costs no
space while both names are there, and the bytes stay when the trainer's own name goes. Never touches the trainer's file.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from isengard.core.errors import NotFound, StorageError
from isengard.core.paths import JobPaths

_FOLDER = ".kept"


def folder(paths: JobPaths) -> Path:
    """Where the kept checkpoints of a job are."""
    return paths.checkpoints / _FOLDER


def kept(paths: JobPaths) -> set[str]:
    """The names of the job's kept checkpoints."""
    try:
        return {name for name in os.listdir(folder(paths)) if not name.startswith(".")}
    except FileNotFoundError:
        return set()


def keep(paths: JobPaths, checkpoint: Path) -> None:
    """Keep the file `checkpoint` of the job; nothing happens if it is kept already.

    Raises:
        NotFound: The trainer has removed it meanwhile.
        StorageError: The disk refused; it is not kept.
    """
    target = folder(paths) / checkpoint.name
    partial = target.with_name(f".{checkpoint.name}.partial")
    if target.exists():
        return
    try:
        target.parent.mkdir(exist_ok=True)
        partial.unlink(missing_ok=True)
        _second_name(checkpoint, partial)
        os.replace(partial, target)
    except FileNotFoundError as error:
        raise NotFound(f"there is no checkpoint {checkpoint.name!r} any more", field="filename") from error
    except OSError as error:
        raise StorageError(f"the checkpoint {checkpoint.name} could not be kept: {error.strerror}") from error


def release(paths: JobPaths, name: str) -> None:
    """No longer keep the checkpoint `name`: if the trainer has removed its own, it is gone. Raises `StorageError`."""
    try:
        (folder(paths) / name).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"the checkpoint {name} could not be released: {error.strerror}") from error


def _second_name(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
