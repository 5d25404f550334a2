"""Tells whether a ``.safetensors`` file is whole, from its header and its size alone. Never reads the weights.

Format: 8 bytes little-endian length N, N bytes of JSON that give each tensor's ``data_offsets``, then the data
(https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MAX_HEADER = 100_000_000


def read_header(path: Path) -> dict[str, Any]:
    """The header of a whole file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no safetensors file, or a part of it is missing.
    """
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            raise ValueError(f"{path.name} is shorter than a safetensors header")
        (length,) = struct.unpack("<Q", start)
        if not 2 <= length <= _MAX_HEADER:
            raise ValueError(f"{path.name} has no safetensors header")
        text = file.read(length)
    try:
        header = json.loads(text)
    except ValueError:
        raise ValueError(f"{path.name} has no readable safetensors header") from None
    _check_size(path, header, 8 + length)
    return dict(header)


def is_whole(path: Path) -> bool:
    """Whether `path` is a safetensors file with at least one tensor and every byte of it."""
    try:
        header = read_header(path)
    except (OSError, ValueError):
        return False
    return any(name != "__metadata__" for name in header)


def _check_size(path: Path, header: Any, data_start: int) -> None:
    if not isinstance(header, dict):
        raise ValueError(f"{path.name} has no safetensors header")
    try:
        ends = [int(spec["data_offsets"][1]) for name, spec in header.items() if name != "__metadata__"]
    except (KeyError, IndexError, TypeError, ValueError):
        raise ValueError(f"{path.name} has a damaged safetensors header") from None
    expected = data_start + max(ends, default=0)
    if path.stat().st_size != expected:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes instead of {expected}")


def copy_described(source: Path, target: Path, metadata: Mapping[str, str], named: Mapping[str, str]) -> None:
    """Like `copy_whole` for a safetensors file, with metadata that its maker left out. The tensors stay as they are.

    Args:
        metadata: Taken where the file has no such key.
        named: Taken whatever the file has.

    Raises:
        ValueError: `source` is no whole safetensors file.
    """
    header = read_header(source)
    own = {str(key): str(value) for key, value in (header.get("__metadata__") or {}).items()}
    header["__metadata__"] = {**metadata, **own, **named}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".partial-{target.name}")
    with source.open("rb") as old, partial.open("wb") as new:
        new.write(struct.pack("<Q", len(text)) + text)
        (length,) = struct.unpack("<Q", old.read(8))
        old.seek(8 + length)
        shutil.copyfileobj(old, new, 1024 * 1024)
    partial.replace(target)


def copy_whole(source: Path, target: Path) -> None:
    """Copy `source` to `target` so that a reader of `target` sees nothing or all of it; folders are made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".partial-{target.name}")
    shutil.copyfile(source, partial)
    partial.replace(target)
