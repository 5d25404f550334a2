"""Writes the mock's LoRA: a small, valid safetensors file made by hand, because the base install has no `safetensors`.

The container: an eight-byte little-endian length, that many bytes of JSON, then the tensors' bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isengard.trainers.base import TrainingJob

Tensors = Mapping[str, npt.NDArray[np.float32]]


def write_lora(path: Path, job: TrainingJob, step: int) -> None:
    """A LoRA of two small layers whose weights follow from seed and step, with the usual metadata."""
    metadata = {
        "format": "pt",
        "step": str(step),
        "ss_output_name": path.stem,
        "ss_network_dim": str(job.config["lora_rank"]),
        "ss_learning_rate": str(job.config["learning_rate"]),
        "ss_max_train_steps": str(job.config["steps"]),
        "modelspec.trigger_phrase": job.trigger_word,
        "isengard_trainer": "mock",
    }
    _write(path, _layers(int(job.config["lora_rank"]), int(job.config["seed"]), step), metadata)


def _layers(rank: int, seed: int, step: int) -> Tensors:
    source = np.random.default_rng((seed, step))
    tensors: dict[str, npt.NDArray[np.float32]] = {}
    for layer in ("to_q", "to_v"):
        key = f"lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_{layer}"
        tensors[f"{key}.lora_down.weight"] = source.normal(0, 0.02, (rank, 32)).astype(np.float32)
        tensors[f"{key}.lora_up.weight"] = source.normal(0, 0.02, (32, rank)).astype(np.float32)
        tensors[f"{key}.alpha"] = np.array(rank, dtype=np.float32)
    return tensors


def _write(path: Path, tensors: Tensors, metadata: Mapping[str, str]) -> None:
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    offset = 0
    for name, tensor in tensors.items():
        end = offset + tensor.nbytes
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)  # the data starts aligned
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor).tobytes())
