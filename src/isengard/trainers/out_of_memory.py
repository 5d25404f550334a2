"""What is to be done once a GPU has run out of memory: which settings need less, and who else holds it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from isengard.trainers import vram

_SIZE = r"([\d.]+) (bytes|[KMGT]iB)"
_CAPACITY = re.compile(rf"total capacity of {_SIZE}")
_OCCUPANT = re.compile(rf"Process (\d+) has {_SIZE} memory in use")
"""How PyTorch tells the memory of the GPU that ran out, and of each other process on it."""
_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_NOTABLE = 2**30
"""Bytes from which on another process is worth naming: a desktop has a few hundred MiB."""


def smaller(config: Mapping[str, Any], words: str) -> dict[str, Any]:
    """Values for the parameters that would need less.

    Args:
        words: What the trainer said; it may name the GPU's memory, and how much of it others have.
    """
    size = _CAPACITY.search(words)
    left = _bytes(*size.groups()) - sum(occupants(words).values()) if size else 0
    fitting = vram.fitting(config, left) if left > 0 else None
    return fitting or _halved(config)


def occupants(words: str) -> dict[int, float]:
    """Bytes of the GPU that ran out by the process id of each other process that holds much of it."""
    held = {int(pid): _bytes(number, unit) for pid, number, unit in _OCCUPANT.findall(words)}
    return {pid: size for pid, size in held.items() if size >= _NOTABLE}


def _bytes(number: str, unit: str) -> float:
    return float(number.strip(".") or 0) * _UNITS[unit]


def _halved(config: Mapping[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if int(config.get("batch_size") or 1) > 1:
        settings["batch_size"] = max(1, int(config["batch_size"]) // 2)
    if config.get("gradient_checkpointing") is False:
        settings["gradient_checkpointing"] = True
    if config.get("quantize") is False:
        settings["quantize"] = True
    if not settings and int(config.get("resolution") or 0) > 512:
        settings["resolution"] = int(config["resolution"]) // 2 // 64 * 64
    if not settings and int(config.get("lora_rank") or 0) > 8:
        settings["lora_rank"] = int(config["lora_rank"]) // 2
    return settings
