"""Stable Diffusion 1.x, 2.x and XL: a UNet that removes noise, guided by CLIP text models."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn

from isengard.core.errors import InvalidInput
from isengard.trainers.diffusers.engine.family import Conditioning, Family, random_like
from isengard.trainers.diffusers.engine.hardware import Hardware
from isengard.trainers.diffusers.parameters import DiffusersParameters, Targets

_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


class StableDiffusion(Family):
    """Stable Diffusion 1.x and 2.x."""

    targets: ClassVar[dict[Targets, tuple[str, ...]]] = {
        Targets.ATTENTION: _ATTENTION,
        Targets.WIDE: (
            *_ATTENTION,
            "proj_in",
            "proj_out",
            "ff.net.0.proj",
            "ff.net.2",
            "conv1",
            "conv2",
            "conv_shortcut",
        ),
    }
    trainable_text_parts: ClassVar[tuple[str, ...]] = ("text_encoder",)
    base_version: ClassVar[str] = "sd_v1"
    architecture: ClassVar[str] = "stable-diffusion-v1/lora"

    def __init__(self, pipeline: Any, parameters: DiffusersParameters, hardware: Hardware) -> None:
        super().__init__(pipeline, parameters, hardware)
        self._noise = DDPMScheduler.from_config(pipeline.scheduler.config)
        self._signal = self._noise.alphas_cumprod.to(hardware.device)
        if self.prediction not in ("epsilon", "v_prediction", "sample"):
            raise InvalidInput(f"the base model predicts {self.prediction!r}, which this trainer does not know")

    def encode_text(self, prompts: list[str]) -> Conditioning:
        """The text model's last states, (n, tokens, width)."""
        states, _ = self.pipeline.encode_prompt(prompts, self.hardware.device, 1, False)
        return {"encoder_hidden_states": states}

    def loss(self, latents: Tensor, conditioning: Conditioning, generator: torch.Generator) -> Tensor:
        """Squared error of the prediction at a random time, Min-SNR weighted if asked for."""
        noise = self._noise_for(latents, generator)
        count = int(self._noise.config.num_train_timesteps)
        times = torch.randint(0, count, (len(latents),), generator=generator, device=latents.device)
        noisy = self._noise.add_noise(latents, noise, times)
        with self.hardware.autocast():
            guess = self._predict(noisy, times, conditioning)
        error = nn.functional.mse_loss(guess.float(), self._target(latents, noise, times), reduction="none")
        each = error.mean(dim=tuple(range(1, error.ndim)))
        return (each * self._weight(times)).mean()

    def _noise_for(self, latents: Tensor, generator: torch.Generator) -> Tensor:
        noise = random_like(latents, generator)
        if self.parameters.noise_offset:
            noise = noise + self.parameters.noise_offset * random_like(latents[:, :, :1, :1], generator)
        return noise

    def _predict(self, noisy: Tensor, times: Tensor, conditioning: Conditioning) -> Tensor:
        arguments = dict(conditioning)
        states = arguments.pop("encoder_hidden_states")
        extra = {"added_cond_kwargs": arguments} if arguments else {}
        guess: Tensor = self.denoiser(noisy.to(self.hardware.dtype), times, states, return_dict=False, **extra)[0]
        return guess

    def _target(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        if self.prediction == "epsilon":
            return noise
        if self.prediction == "sample":
            return latents
        velocity: Tensor = self._noise.get_velocity(latents, noise, times)
        return velocity

    def _weight(self, times: Tensor) -> Tensor:
        """Weight of each time: 1, or min(SNR, gamma) in terms of what is predicted (arXiv 2303.09556)."""
        gamma = self.parameters.snr_gamma
        if gamma is None:
            return torch.ones(len(times), device=times.device)
        signal = self._signal[times]
        ratio = signal / (1 - signal)
        capped = ratio.clamp(max=gamma)
        if self.prediction == "sample":
            return capped
        return capped / (ratio + 1 if self.prediction == "v_prediction" else ratio.clamp(min=1e-8))

    def sampling_arguments(self, prompt: Conditioning, negative: Conditioning) -> dict[str, Any]:
        """Both texts and how far to go from the one towards the other."""
        return {
            "prompt_embeds": prompt["encoder_hidden_states"],
            "negative_prompt_embeds": negative["encoder_hidden_states"],
            "guidance_scale": self.parameters.guidance_scale,
        }


class StableDiffusion2(StableDiffusion):
    """Stable Diffusion 2.x: the same, under the name that programs which load its LoRAs look for."""

    base_version: ClassVar[str] = "sd_v2"
    architecture: ClassVar[str] = "stable-diffusion-v2-768-v/lora"


class StableDiffusionXL(StableDiffusion):
    """Stable Diffusion XL: two text models, a pooled text vector, and the image's sizes as further guidance."""

    text_parts: ClassVar[tuple[str, ...]] = ("text_encoder", "text_encoder_2")
    trainable_text_parts: ClassVar[tuple[str, ...]] = ("text_encoder", "text_encoder_2")
    base_version: ClassVar[str] = "sdxl_base_v1-0"
    architecture: ClassVar[str] = "stable-diffusion-xl-v1-base/lora"

    def encode_text(self, prompts: list[str]) -> Conditioning:
        """The states of both text models side by side and the second one's pooled vector."""
        states, _, pooled, _ = self.pipeline.encode_prompt(
            prompts, device=self.hardware.device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        return {"encoder_hidden_states": states, "text_embeds": pooled}

    def describe_images(self, original: Tensor, corner: Tensor, shown: Tensor) -> Conditioning:
        """Six figures an image: original size, the crop's corner, size shown."""
        return {"time_ids": torch.cat([original, corner, shown], dim=1)}

    def sampling_arguments(self, prompt: Conditioning, negative: Conditioning) -> dict[str, Any]:
        """As for the others, and the pooled vectors; models that want it get zeros for an empty negative prompt."""
        if not self.parameters.negative_prompt and self.pipeline.config.get("force_zeros_for_empty_prompt"):
            negative = {name: torch.zeros_like(value) for name, value in negative.items()}
        return {
            **super().sampling_arguments(prompt, negative),
            "pooled_prompt_embeds": prompt["text_embeds"],
            "negative_pooled_prompt_embeds": negative["text_embeds"],
        }
