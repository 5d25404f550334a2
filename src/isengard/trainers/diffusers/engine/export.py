"""Writes the LoRA as a ``.safetensors`` that diffusers, ComfyUI and A1111 load, whole or not at all.

Stable Diffusion's files use kohya's names with an ``alpha`` a layer; `diffusers.utils.convert_state_dict_to_diffusers`
would mix two styles of names and its own loader would then drop the attention layers with only a warning. FLUX's files
use the names of diffusers, which have no place for alpha, so that its scale is multiplied into the weights.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import torch
from safetensors.torch import save
from torch import Tensor

from isengard.trainers.diffusers.engine.adapter import Weights
from isengard.trainers.diffusers.engine.family import Family
from isengard.trainers.diffusers.engine.flux import Flux

_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"


def lora_file(family: Family, weights: Weights, metadata: Mapping[str, str]) -> bytes:
    """The file's bytes; the number format is that of the base model."""
    alpha = family.parameters.alpha
    if isinstance(family, Flux):
        tensors = _diffusers_names(weights, alpha / family.parameters.lora_rank)
    else:
        tensors = _kohya_names(weights, alpha, several=len(family.text_parts) > 1)
    ready = {name: tensor.to(family.hardware.dtype).contiguous() for name, tensor in sorted(tensors.items())}
    content: bytes = save(ready, metadata={**metadata, "modelspec.hash_sha256": _hash(ready)})
    return content


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Have `write` fill a file such that `path` is absent, or whole and on the disk."""
    partial = path.with_name(f".partial-{path.name}")
    with partial.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def _kohya_names(weights: Weights, alpha: float, *, several: bool) -> dict[str, Tensor]:
    prefixes = {
        "unet": "lora_unet",
        "text_encoder": "lora_te1" if several else "lora_te",
        "text_encoder_2": "lora_te2",
    }
    tensors: dict[str, Tensor] = {}
    for part, state in weights.items():
        for key, tensor in state.items():
            layer, side = _split(key)
            name = f"{prefixes[part]}_{_with_text_model(part, layer).replace('.', '_')}"
            tensors[f"{name}.lora_{'down' if side == _DOWN else 'up'}.weight"] = tensor
            tensors[f"{name}.alpha"] = torch.tensor(alpha)
    return tensors


def _with_text_model(part: str, layer: str) -> str:
    """Newer transformers have dropped the first part of this name; files keep it."""
    return layer if part == "unet" or layer.startswith("text_model.") else f"text_model.{layer}"


def _diffusers_names(weights: Weights, scale: float) -> dict[str, Tensor]:
    return {
        f"{part}.{key}": tensor * scale if _split(key)[1] == _UP else tensor
        for part, state in weights.items()
        for key, tensor in state.items()
    }


def _split(key: str) -> tuple[str, str]:
    for side in (_DOWN, _UP):
        if key.endswith(side):
            return key.removesuffix(side), side
    raise ValueError(f"{key} is no weight of a plain LoRA")


def _hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of all tensors' bytes in the order of their names, as the modelspec standard wants it."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(tensors[name].view(-1).view(torch.uint8).numpy().tobytes())
    return f"0x{digest.hexdigest()}"
