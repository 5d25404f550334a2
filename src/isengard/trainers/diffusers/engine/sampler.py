"""Draws sample images with the LoRA as it stands, always from the same prompts and seeds, and reports them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from isengard.events.models import TrainingStage
from isengard.trainers.diffusers.engine.adapter import Adapter
from isengard.trainers.diffusers.engine.family import Family
from isengard.trainers.diffusers.engine.text import Text
from isengard.trainers.run import TrainingRun


class Sampler:
    """Draws one image a prompt.

    The noise is drawn on the CPU, so that a seed means the same picture on every machine.

    Args:
        watch: Called after every denoising step; may raise to end the sampling.
    """

    def __init__(
        self, run: TrainingRun, family: Family, adapter: Adapter, text: Text, watch: Callable[[], None]
    ) -> None:
        self._run = run
        self._family = family
        self._adapter = adapter
        self._text = text
        self._watch = watch
        self.prompts: Sequence[str] = prompts_of(run)

    def draw(self, step: int) -> None:
        """Draw and report the samples of `step`."""
        self._run.stage(TrainingStage.SAMPLING, f"sampling at step {step}")
        parameters = self._family.parameters
        first = parameters.seed if parameters.sample_seed is None else parameters.sample_seed
        self._adapter.learning(False)
        try:
            for index, prompt in enumerate(self.prompts):
                image = self._image(prompt, first + index)
                self._run.sample(image, step=step, prompt=prompt, index=index, seed=first + index)
        finally:
            self._adapter.learning(True)
        self._family.hardware.empty_cache()

    def _image(self, prompt: str, seed: int) -> Any:
        family = self._family
        side = max(family.grain, family.parameters.resolution // family.grain * family.grain)
        with torch.no_grad(), family.hardware.autocast():
            arguments = family.sampling_arguments(self._text([prompt]), self._text([family.parameters.negative_prompt]))
            result = family.pipeline(
                **arguments,
                height=side,
                width=side,
                num_inference_steps=family.parameters.sample_steps,
                generator=torch.Generator("cpu").manual_seed(seed),
                callback_on_step_end=self._after_step,
            )
        return result.images[0]

    def _after_step(self, pipeline: Any, index: int, time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        self._watch()
        return tensors


def prompts_of(run: TrainingRun) -> list[str]:
    """The prompts asked for, or one made from the trigger word."""
    return list(run.job.config.get("sample_prompts") or [f"a photo of {run.job.trigger_word}"])
