"""Which settings to change after a GPU ran out of memory: by the estimate of `vram.py`, else by halving."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from isengard.trainers import vram

_CAPACITY = re.compile(r"total capacity of ([\d.]+) GiB")
"""How PyTorch tells the memory of the GPU that ran out."""


def smaller(config: Mapping[str, Any], words: str) -> dict[str, Any]:
    """Values for the parameters that would need less.

    Args:
        words: What the trainer said; it may name the GPU's memory.
    """
    size = _CAPACITY.search(words)
    fitting = vram.fitting(config, float(size[1]) * 2**30) if size else None
    return fitting or _halved(config)


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
