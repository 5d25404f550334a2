"""The safetensors container: an eight-byte length, a JSON header, the tensors' bytes.

Here by hand because the base install has no `safetensors`, and because the runner has to tell a whole file from half a
one without loading gigabytes. Never unpickles anything.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_HEADER_BYTES = 100_000_000
"""The limit of the reference implementation."""

_DTYPES = {"float32": "F32", "float16": "F16", "int64": "I64"}


def write(path: Path, tensors: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write `tensors` (float32, float16 or int64) and `metadata` to `path`."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    offset = 0
    for name, tensor in tensors.items():
        end = offset + tensor.nbytes
        header[name] = {
            "dtype": _DTYPES[str(tensor.dtype)],
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)  # the data starts aligned
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor).tobytes())


def read_header(path: Path) -> dict[str, Any]:
    """The header of a whole file: tensor names to dtype, shape and offsets, and ``__metadata__``.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no safetensors file, or it is cut short; the message says which.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(8)
        if len(prefix) < 8:
            raise ValueError(f"it is {size} bytes long, too short for a safetensors file")
        (length,) = struct.unpack("<Q", prefix)
        if length > min(MAX_HEADER_BYTES, size - 8):
            raise ValueError("its header does not fit into the file")
        header = _parse(file.read(length))
    _check_length(header, size - 8 - length)
    return header


def _parse(encoded: bytes) -> dict[str, Any]:
    try:
        header = json.loads(encoded)
    except ValueError as error:
        raise ValueError("its header is not JSON") from error
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    return header


def _check_length(header: Mapping[str, Any], data_bytes: int) -> None:
    try:
        ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError("its header does not describe tensors") from error
    if not ends:
        raise ValueError("it holds no tensor")
    if max(ends) != data_bytes:
        raise ValueError(f"its header describes {max(ends)} bytes of tensors, the file holds {data_bytes}")
