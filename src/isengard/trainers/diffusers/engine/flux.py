"""FLUX: a transformer that learns the straight way from noise to image (flow matching), guided by CLIP and T5."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from isengard.core.errors import InvalidInput
from isengard.trainers.diffusers.engine.family import Conditioning, Family, random_like
from isengard.trainers.diffusers.engine.hardware import Hardware
from isengard.trainers.diffusers.parameters import DiffusersParameters, Targets

_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
_FORWARD = ("ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2", "proj_mlp", "proj_out")
_MAX_TOKENS = 512


class Flux(Family):
    """FLUX.1 dev and schnell."""

    targets: ClassVar[dict[Targets, tuple[str, ...]]] = {
        Targets.ATTENTION: _ATTENTION,
        Targets.WIDE: (*_ATTENTION, *_FORWARD),
    }
    text_parts: ClassVar[tuple[str, ...]] = ("text_encoder", "text_encoder_2")
    denoiser_name: ClassVar[str] = "transformer"
    base_version: ClassVar[str] = "flux1"
    architecture: ClassVar[str] = "flux-1-dev/lora"

    def __init__(self, pipeline: Any, parameters: DiffusersParameters, hardware: Hardware) -> None:
        super().__init__(pipeline, parameters, hardware)
        for name in ("train_text_encoder", "snr_gamma", "noise_offset"):
            if getattr(parameters, name):
                raise InvalidInput(f"{name} is not available for FLUX models", field=f"config.{name}")

    @property
    def grain(self) -> int:
        """Latents are packed in squares of two by two."""
        return 2 * int(self.pipeline.vae_scale_factor)

    @property
    def prediction(self) -> str:
        """FLUX predicts the direction from image to noise."""
        return "flow"

    def encode_text(self, prompts: list[str]) -> Conditioning:
        """T5's states, (n, tokens, width), and CLIP's pooled vector."""
        tokens = min(_MAX_TOKENS, int(self.pipeline.tokenizer_2.model_max_length))
        states, pooled, _ = self.pipeline.encode_prompt(
            prompts, None, device=self.hardware.device, max_sequence_length=tokens
        )
        return {"encoder_hidden_states": states, "pooled_projections": pooled}

    def loss(self, latents: Tensor, conditioning: Conditioning, generator: torch.Generator) -> Tensor:
        """Squared error of the predicted direction at a random place on the way."""
        noise = random_like(latents, generator)
        shares = self._shares(latents, generator)
        noisy = torch.lerp(latents, noise, shares.view(-1, 1, 1, 1))
        with self.hardware.autocast():
            guess = self._predict(noisy, shares, conditioning)
        return nn.functional.mse_loss(guess.float(), _pack(noise - latents))

    def _shares(self, latents: Tensor, generator: torch.Generator) -> Tensor:
        """How much of each input is noise: logit-normal, shifted towards noise for larger images as in sampling."""
        normal = torch.randn(len(latents), generator=generator, device=latents.device)
        shares = torch.sigmoid(normal)
        config = self.pipeline.scheduler.config
        factor = float(config.get("shift") or 1.0)
        if config.get("use_dynamic_shifting"):
            factor = math.exp(_shift(latents.shape[-2] * latents.shape[-1] // 4, config))
        return factor * shares / (1 + (factor - 1) * shares)

    def _predict(self, noisy: Tensor, shares: Tensor, conditioning: Conditioning) -> Tensor:
        height, width = noisy.shape[-2] // 2, noisy.shape[-1] // 2
        dtype, device = self.hardware.dtype, noisy.device
        states = conditioning["encoder_hidden_states"]
        guess: Tensor = self.denoiser(
            hidden_states=_pack(noisy).to(dtype),
            timestep=shares.to(dtype),
            guidance=self._guidance(len(noisy), noisy),
            pooled_projections=conditioning["pooled_projections"],
            encoder_hidden_states=states,
            txt_ids=torch.zeros(states.shape[1], 3, device=device, dtype=dtype),
            img_ids=_positions(height, width).to(device, dtype),
            return_dict=False,
        )[0]
        return guess

    def _guidance(self, count: int, like: Tensor) -> Tensor | None:
        """Distilled models are trained as if at guidance 1, as their authors advise for LoRAs."""
        config: Any = self.denoiser.config
        return torch.ones(count, device=like.device) if config.guidance_embeds else None

    def sampling_arguments(self, prompt: Conditioning, negative: Conditioning) -> dict[str, Any]:
        """The text and the guidance that distilled models take as an input."""
        return {
            "prompt_embeds": prompt["encoder_hidden_states"],
            "pooled_prompt_embeds": prompt["pooled_projections"],
            "guidance_scale": self.parameters.guidance_scale,
            "max_sequence_length": prompt["encoder_hidden_states"].shape[1],
        }


def _shift(tokens: int, config: Any) -> float:
    """The logarithm of the shift for an image of `tokens` patches, on the line the scheduler's configuration draws."""
    low, high = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
    start, end = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
    return float(start + (end - start) * (tokens - low) / (high - low))


def _pack(latents: Tensor) -> Tensor:
    """Latents (n, c, h, w) as tokens of two by two, (n, h·w/4, 4·c)."""
    count, channels, height, width = latents.shape
    squares = latents.view(count, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return squares.reshape(count, (height // 2) * (width // 2), channels * 4)


def _positions(height: int, width: int) -> Tensor:
    """Row and column of every token, (h·w, 3); the first figure is always 0."""
    ids = torch.zeros(height, width, 3)
    ids[..., 1] = torch.arange(height)[:, None]
    ids[..., 2] = torch.arange(width)[None, :]
    return ids.view(-1, 3)
