"""Writes what a process is to do to a file and reads it there: so a job crosses over. Never holds a secret."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def write(instance: object, path: Path) -> None:
    """Write a dataclass instance to `path` so that a reader sees the old file or the whole new one; raises OSError."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(instance, enc_hook=_encode)))
    os.replace(partial, path)


def read(path: Path, kind: type[T]) -> T:
    """Read the instance of `kind` that `write` wrote.

    Raises:
        OSError: The file cannot be read.
        ValueError: It does not hold a `kind`.
    """
    return msgspec.json.decode(path.read_bytes(), type=kind, dec_hook=_decode)


def _encode(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"a {type(value).__name__} cannot be written into a job file")


def _decode(kind: type, value: Any) -> Any:
    return kind(value)
