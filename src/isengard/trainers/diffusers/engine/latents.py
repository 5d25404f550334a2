"""Pictures as latents: encoded once before the first step, or at every step where memory is short."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from isengard.trainers.diffusers.engine.dataset import Picture
from isengard.trainers.diffusers.engine.family import Family


class Latents(Protocol):
    """A source of latents."""

    def __call__(self, chosen: Sequence[int], mirrored: Sequence[bool]) -> Tensor:
        """The latents of the chosen pictures, as one batch on the training's device."""
        ...


class CachedLatents:
    """Encodes every picture now, and its mirror image if `flip`; what it keeps is small.

    Args:
        progress: Called with 0 to 100.
    """

    def __init__(
        self, family: Family, pictures: Sequence[Picture], *, flip: bool, progress: Callable[[float], None]
    ) -> None:
        self._device = family.hardware.device
        self._plain: list[Tensor] = []
        self._mirrored: list[Tensor] = []
        for number, picture in enumerate(pictures):
            pixels = picture.pixels()[None]
            self._plain.append(family.encode_images(pixels).cpu())
            if flip:
                self._mirrored.append(family.encode_images(pixels.flip(-1)).cpu())
            progress(100 * (number + 1) / len(pictures))

    def __call__(self, chosen: Sequence[int], mirrored: Sequence[bool]) -> Tensor:
        """Look them up."""
        rows = [
            (self._mirrored if mirror else self._plain)[index] for index, mirror in zip(chosen, mirrored, strict=True)
        ]
        return torch.cat(rows).to(self._device, non_blocking=True)


class LiveLatents:
    """Reads and encodes pictures when asked."""

    def __init__(self, family: Family, pictures: Sequence[Picture]) -> None:
        self._family = family
        self._pictures = pictures

    def __call__(self, chosen: Sequence[int], mirrored: Sequence[bool]) -> Tensor:
        """Read and encode them now."""
        pixels = [self._pictures[index].pixels() for index in chosen]
        turned = [image.flip(-1) if mirror else image for image, mirror in zip(pixels, mirrored, strict=True)]
        return self._family.encode_images(torch.stack(turned))
