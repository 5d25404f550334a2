"""How large a base model is: from the headers of its weights, or from what is known of its kind. Reads no weights."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isengard.trainers.weights import read_header

_TRANSFORMER = "transformer"
_LEARNER = ("unet", _TRANSFORMER)
_FLUX_TOKENS = 512
_ATTENTION = ("to_q", "to_k", "to_v", "to_out", "attn", "qkv", "proj")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Sizes of a base model.

    Attributes:
        learner: Parameters of the network that gets the LoRA.
        others: Parameters of text encoders and VAE.
        lora_per_rank: Parameters of a LoRA on its attention for each step of rank.
        certain: Whether this was read from its files; else it is what models of this kind have.
        text_tokens: Tokens of the prompt that go through the learner beside those of the picture.
    """

    learner: int
    others: int
    lora_per_rank: int
    certain: bool
    text_tokens: int = 0


_KNOWN = {
    "sd1": ModelFacts(860_000_000, 207_000_000, 100_000, certain=False),
    "sd2": ModelFacts(866_000_000, 424_000_000, 104_000, certain=False),
    "sdxl": ModelFacts(2_567_000_000, 901_000_000, 725_000, certain=False),
    "flux": ModelFacts(11_901_000_000, 4_970_000_000, 1_170_000, certain=False, text_tokens=_FLUX_TOKENS),
}


def facts_of(base_model: str, arch: str | None) -> ModelFacts | None:
    """The sizes of `base_model`, a folder or file; for anything else those of its `arch`; None for an unknown kind."""
    place = Path(base_model).expanduser()
    try:
        if place.is_dir():
            return _of_folder(place)
        if place.is_file() and place.suffix == ".safetensors":
            return _measured({"": _shapes(place)})
    except (OSError, ValueError, struct.error):
        return None
    return _KNOWN.get((arch or _guess(base_model)).split(":")[0])


def _of_folder(folder: Path) -> ModelFacts | None:
    parts = {part.name: _part(part) for part in sorted(folder.iterdir()) if part.is_dir()}
    return _measured({name: shapes for name, shapes in parts.items() if shapes})


def _part(folder: Path) -> list[tuple[str, list[int]]]:
    """The tensors of one component; of several variants of its weights (fp16, ema) the first is taken."""
    files = sorted(folder.glob("*.safetensors"))
    shards = [path for path in files if "-of-" in path.name]
    return [shape for path in shards or files[:1] for shape in _shapes(path)]


def _shapes(path: Path) -> list[tuple[str, list[int]]]:
    header: dict[str, Any] = read_header(path)
    return [(name, list(spec["shape"])) for name, spec in header.items() if name != "__metadata__"]


def _measured(parts: dict[str, list[tuple[str, list[int]]]]) -> ModelFacts | None:
    if not parts:
        return None
    sizes = {name: sum(math.prod(shape) for _, shape in shapes) for name, shapes in parts.items()}
    learner = next((name for name in _LEARNER if name in sizes), max(sizes, key=lambda name: sizes[name]))
    per_rank = sum(
        shape[0] + shape[1]
        for name, shape in parts[learner]
        if len(shape) == 2 and any(word in name for word in _ATTENTION)
    )
    beside = _FLUX_TOKENS if learner == _TRANSFORMER else 0
    others = sum(sizes.values()) - sizes[learner]
    return ModelFacts(sizes[learner], others, per_rank, certain=True, text_tokens=beside)


def _guess(model_id: str) -> str:
    lower = model_id.lower()
    if "flux" in lower:
        return "flux"
    if "xl" in lower:
        return "sdxl"
    return "sd1" if "stable-diffusion" in lower or "v1-5" in lower or "sd15" in lower else ""
