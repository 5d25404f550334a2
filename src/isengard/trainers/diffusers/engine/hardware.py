"""Picks device and number format, and sets what makes CUDA fast. Never decides anything about the training itself."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from isengard.trainers.diffusers.parameters import Precision

_DTYPES = {Precision.FP32: torch.float32, Precision.FP16: torch.float16, Precision.BF16: torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Hardware:
    """Where the training runs and in which format the frozen weights are kept."""

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> AbstractContextManager[None]:
        """The context of every forward pass: 32-bit LoRA weights meet half-precision ones in it."""
        enabled = self.dtype is not torch.float32
        context: AbstractContextManager[None] = torch.autocast(
            self.device.type, self.dtype if enabled else None, enabled=enabled
        )
        return context

    @property
    def scales_gradients(self) -> bool:
        """Whether gradients could vanish in the number format, as they do in fp16."""
        return self.dtype is torch.float16 and self.device.type == "cuda"

    def describe(self) -> str:
        """For people: device and format."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type.upper()
        return f"{name}, {str(self.dtype).removeprefix('torch.')}"

    def empty_cache(self) -> None:
        """Give unused memory back to the driver, after a part of the model moved away."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.device.type == "mps":
            torch.mps.empty_cache()


def choose(precision: Precision) -> Hardware:
    """CUDA (or ROCm), else Apple's MPS, else the CPU, and a format that the device handles well."""
    device = _device()
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    return Hardware(device, _DTYPES.get(precision) or _best_format(device))


def _device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _best_format(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float32
