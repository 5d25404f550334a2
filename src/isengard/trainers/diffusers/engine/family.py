"""What a kind of model has to say for itself to be trained: how it reads text and images, and what its loss is.

One subclass per kind of pipeline. A family knows its pipeline's parts and nothing of datasets, loops or files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from isengard.trainers.diffusers.engine.hardware import Hardware
from isengard.trainers.diffusers.parameters import DiffusersParameters, Targets

Conditioning = dict[str, Tensor]
"""What the denoiser is told beside the noise, each entry with the batch as its first dimension."""

TEXT_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj")


class Family(ABC):
    """A loaded pipeline together with how to train it.

    Args:
        pipeline: The diffusers pipeline, its weights frozen, on the CPU.
    """

    targets: ClassVar[dict[Targets, tuple[str, ...]]]
    text_parts: ClassVar[tuple[str, ...]] = ("text_encoder",)
    trainable_text_parts: ClassVar[tuple[str, ...]] = ()
    denoiser_name: ClassVar[str] = "unet"
    base_version: ClassVar[str]
    architecture: ClassVar[str]

    def __init__(self, pipeline: Any, parameters: DiffusersParameters, hardware: Hardware) -> None:
        self.pipeline = pipeline
        self.parameters = parameters
        self.hardware = hardware

    # Parts.

    @property
    def denoiser(self) -> nn.Module:
        """The network that learns."""
        part: nn.Module = getattr(self.pipeline, self.denoiser_name)
        return part

    def text_encoders(self) -> list[nn.Module]:
        """The networks that read prompts."""
        return [getattr(self.pipeline, name) for name in self.text_parts if getattr(self.pipeline, name) is not None]

    def adapted(self) -> dict[str, nn.Module]:
        """The networks that get a LoRA, by their name in the pipeline."""
        parts = {self.denoiser_name: self.denoiser}
        if self.parameters.train_text_encoder:
            parts |= {name: getattr(self.pipeline, name) for name in self.trainable_text_parts}
        return parts

    def target_modules(self, part: str) -> tuple[str, ...]:
        """Endings of the names of the layers of `part` that get a LoRA."""
        return self.targets[self.parameters.target_modules] if part == self.denoiser_name else TEXT_TARGETS

    @property
    def grain(self) -> int:
        """Images have sides that are multiples of this many pixels."""
        return int(self.pipeline.vae_scale_factor)

    @property
    def prediction(self) -> str:
        """What the denoiser predicts, as its scheduler says: ``epsilon``, ``v_prediction``, ``sample`` or ``flow``."""
        return str(self.pipeline.scheduler.config.get("prediction_type", "epsilon"))

    def place(self, *parts: nn.Module) -> None:
        """Bring parts to the device; they come one after another, because all at once may not fit."""
        for part in parts:
            part.to(self.hardware.device)

    # Inputs.

    def encode_images(self, pixels: Tensor) -> Tensor:
        """Latents, in 32 bit, of images (n, 3, h, w) in -1 to 1: the means of the encoder's distributions."""
        vae = self.pipeline.vae
        kept = vae.dtype
        if kept is torch.float16 and vae.config.get("force_upcast"):
            vae.to(torch.float32)  # such an autoencoder gives NaN in half precision
        with torch.no_grad():
            latents: Tensor = vae.encode(pixels.to(self.hardware.device, vae.dtype)).latent_dist.mode().float()
        vae.to(kept)
        return (latents - (vae.config.get("shift_factor") or 0.0)) * vae.config.scaling_factor

    @abstractmethod
    def encode_text(self, prompts: list[str]) -> Conditioning:
        """What the denoiser is told for each prompt; differentiable where the text encoders learn."""

    def describe_images(self, original: Tensor, corner: Tensor, shown: Tensor) -> Conditioning:
        """What the denoiser is told about the images' sizes (n, 2) as height and width; nothing for most."""
        return {}

    # Training and sampling.

    @abstractmethod
    def loss(self, latents: Tensor, conditioning: Conditioning, generator: torch.Generator) -> Tensor:
        """The loss of a batch; every random figure in it comes from `generator`."""

    @abstractmethod
    def sampling_arguments(self, prompt: Conditioning, negative: Conditioning) -> dict[str, Any]:
        """What the pipeline is called with, beside size, seed and number of steps."""


def random_like(latents: Tensor, generator: torch.Generator) -> Tensor:
    """Normal noise of the shape of `latents`."""
    return torch.randn(latents.shape, generator=generator, device=latents.device, dtype=latents.dtype)
