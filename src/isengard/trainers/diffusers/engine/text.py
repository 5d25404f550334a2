"""Prompts as the denoiser reads them: encoded once and for all, or anew each time because the encoders learn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import torch

from isengard.trainers.diffusers.engine.family import Conditioning, Family


class Text(Protocol):
    """A source of conditioning."""

    def __call__(self, prompts: Sequence[str]) -> Conditioning:
        """The conditioning of each prompt, as one batch on the training's device."""
        ...


class FrozenText:
    """Encodes all prompts that will ever be asked for and lets the text encoders go: they need not stay in memory.

    Args:
        prompts: Every caption, every sample prompt, and the empty one.
        progress: Called with 0 to 100.
    """

    def __init__(self, family: Family, prompts: Iterable[str], progress: Callable[[float], None]) -> None:
        self._device = family.hardware.device
        family.place(*family.text_encoders())
        distinct = list(dict.fromkeys(prompts))
        self._known: dict[str, Conditioning] = {}
        with torch.no_grad():
            for number, prompt in enumerate(distinct):
                # On the CPU: a few hundred long captions of a large model would fill a GPU for nothing.
                self._known[prompt] = {name: value.cpu() for name, value in family.encode_text([prompt]).items()}
                progress(100 * (number + 1) / len(distinct))
        for name in family.text_parts:
            family.pipeline.register_modules(**{name: None})
        family.hardware.empty_cache()

    def __call__(self, prompts: Sequence[str]) -> Conditioning:
        """Look the prompts up; raises KeyError for one that was not announced."""
        rows = [self._known[prompt] for prompt in prompts]
        return {name: torch.cat([row[name] for row in rows]).to(self._device, non_blocking=True) for name in rows[0]}


class LearningText:
    """Encodes prompts when asked, with gradients where they are wanted."""

    def __init__(self, family: Family) -> None:
        self._family = family
        family.place(*family.text_encoders())

    def __call__(self, prompts: Sequence[str]) -> Conditioning:
        """Encode the prompts now."""
        with self._family.hardware.autocast():
            return self._family.encode_text(list(prompts))
