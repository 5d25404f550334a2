"""How much GPU memory a LoRA training will need, roughly, and which settings would fit. An estimate, never a promise.

    weights      the learner in the training's precision (1 byte a parameter when quantised), and the text encoders and
                 VAE where they stay on the GPU
    LoRA         4 bytes each for weight and gradient, and the optimizer's state
    activations  of a step: (2.8 + 1.9 × billions of parameters) GB for each megapixel and image; with checkpointing
                 0.17 GB × billions of parameters, at least 1.05. Or of decoding a sample, if that takes more: 3.1 GB a
                 megapixel
    the rest     1 GB for CUDA's context, the VAE and workspaces, and 5 % of the activations, which the allocator loses

The figures of the activations are fitted to what a step of the real networks makes, calculated from their shapes
(`bench/gpu_memory.py`), and held against a training on a GPU; expect them to be off by a fifth either way, and by more
for networks of another build. 1 GB is 10⁹ bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isengard.trainers.model_facts import ModelFacts, facts_of

_GB = 1e9
_REST = 1.0 * _GB
_LOST = 0.05
_FP32 = 1.43
"""What activations grow by in 32 bit: under autocast about half of them are 32 bit anyway."""
_DECODING = 3.1 * _GB
_TOKEN_PIXELS = 16 * 16
_ROOM = 0.95
"""Share of a GPU's memory that a training can have."""
_STATE_BYTES = {
    "adamw": 8,
    "adam": 8,
    "adamw8bit": 2,
    "prodigy": 16,
    "prodigyopt": 16,
    "lion": 4,
    "adafactor": 1,
    "sgd": 0,
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes of GPU memory by what they are for."""

    weights: float
    lora: float
    activations: float
    rest: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.lora + self.activations + self.rest

    def in_words(self) -> str:
        """One line for people."""
        parts = {"weights": self.weights, "LoRA": self.lora, "activations": self.activations, "the rest": self.rest}
        listed = ", ".join(f"{name} {size / _GB:.1f}" for name, size in parts.items())
        return f"about {self.total / _GB:.1f} GB of GPU memory ({listed})"


def estimate(config: Mapping[str, Any]) -> Estimate | None:
    """What a training with these parameters will need; None when nothing is known of its base model."""
    model = config.get("base_model")
    if not isinstance(model, str) or not model:
        return None
    facts = facts_of(model, config.get("arch"))
    return _estimate(facts, config) if facts else None


def fitting(config: Mapping[str, Any], capacity: float) -> dict[str, Any] | None:
    """The fewest changes of `config` with which it would fit into `capacity` bytes.

    Returns:
        Nothing changed if it fits as it is; None if no change makes it fit or nothing is known of its base model.
    """
    wanted: dict[str, Any] = {}
    changed = dict(config)
    for change in ({}, *_changes(config)):
        wanted |= change
        changed |= change
        present = estimate(changed)
        if present is None:
            return None
        if present.total <= capacity * _ROOM:
            return wanted
    return None


def _changes(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What to try one after the other: first what costs only time."""
    if config.get("gradient_checkpointing") is False:
        yield {"gradient_checkpointing": True}
    batch = int(config.get("batch_size") or 1)
    while batch > 1:
        batch //= 2
        yield {"batch_size": batch}
    if config.get("optimizer") in ("adamw", "adam", "prodigy"):
        yield {"optimizer": "adamw8bit"}
    if config.get("quantize") is False:
        yield {"quantize": True}
    size = _side(config)
    while size > 512:
        size = max(512, size - 256)
        yield {"resolution": size}
    rank = int(config.get("lora_rank") or 16)
    while rank > 4:
        rank //= 2
        yield {"lora_rank": rank}


def _estimate(facts: ModelFacts, config: Mapping[str, Any]) -> Estimate:
    width = 4 if _precision(config) == "fp32" else 2
    quantised = bool(config.get("quantize"))
    learner = facts.learner * (1 if quantised else width)
    beside = facts.others * (1 if quantised else width) if _keeps_encoders(config) else 0
    trained = facts.lora_per_rank * int(config.get("lora_rank") or 16)
    state = _STATE_BYTES.get(str(config.get("optimizer") or "adamw").lower(), 8)
    activations = max(_step(facts, config), _sample(config)) * _size_factor(facts)
    return Estimate(
        weights=float(learner + beside),
        lora=float(trained * (4 + 4 + state)),
        activations=activations,
        rest=_REST + _LOST * activations,
    )


def _step(facts: ModelFacts, config: Mapping[str, Any]) -> float:
    """What forward and backward pass of one batch keep."""
    pixels = _side(config) ** 2 + facts.text_tokens * _TOKEN_PIXELS
    megapixels = pixels * int(config.get("batch_size") or 1) / 1e6
    billions = facts.learner / 1e9
    per_megapixel = max(1.05, 0.17 * billions) if config.get("gradient_checkpointing") else 2.8 + 1.9 * billions
    return megapixels * per_megapixel * _GB * (_FP32 if _precision(config) == "fp32" else 1)


def _sample(config: Mapping[str, Any]) -> float:
    """What decoding one sample takes, where samples are drawn: no gradients, and one at a time."""
    return 0.0 if config.get("sample_every_n_steps") == 0 else _side(config) ** 2 / 1e6 * _DECODING


def _size_factor(facts: ModelFacts) -> float:
    """Toy models have toy activations; from half a billion parameters on the figures above hold."""
    return min(1.0, facts.learner / 0.5e9)


def _side(config: Mapping[str, Any]) -> int:
    return int(config.get("resolution") or 512)


def _precision(config: Mapping[str, Any]) -> str:
    return str(config.get("precision") or config.get("dtype") or "auto")


def _keeps_encoders(config: Mapping[str, Any]) -> bool:
    """The diffusers trainer lets its text encoders go once captions are encoded, unless it trains them."""
    return "arch" in config or bool(config.get("train_text_encoder"))
