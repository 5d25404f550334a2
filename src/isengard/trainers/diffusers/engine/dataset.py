"""The training images: their captions, their sizes, and the order in which batches are drawn.

Images keep their aspect: the longer side becomes the resolution, both sides are cropped to a multiple of the model's
grain, and a batch holds images of one size only. Never changes a file.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from isengard.core.errors import InvalidInput

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})


@dataclass(frozen=True, slots=True)
class Picture:
    """One training image; sizes and the crop's corner are (height, width) and (top, left) in pixels."""

    path: Path
    caption: str
    original: tuple[int, int]
    scaled: tuple[int, int]
    corner: tuple[int, int]
    shown: tuple[int, int]

    def pixels(self) -> Tensor:
        """The cropped image, (3, h, w) in -1 to 1."""
        top, left = self.corner
        height, width = self.shown
        with Image.open(self.path) as file:
            image = _plain(file).resize((self.scaled[1], self.scaled[0]), Image.Resampling.LANCZOS)
        cropped = np.asarray(image.crop((left, top, left + width, top + height)), dtype=np.float32)
        return torch.from_numpy(cropped).permute(2, 0, 1).div(127.5).sub(1)


def read_dataset(folder: Path, *, resolution: int, grain: int, default_caption: str) -> list[Picture]:
    """The images of `folder` in the order of their names; one without a caption gets `default_caption`.

    Raises:
        InvalidInput: There are none, one cannot be read, or the resolution is below the model's grain.
    """
    if resolution < grain:
        raise InvalidInput(f"resolution must be at least {grain} for this base model", field="config.resolution")
    files = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    if not files:
        raise InvalidInput("the dataset holds no images", field="character_id")
    return [_read(path, resolution, grain, default_caption) for path in files]


def _read(path: Path, resolution: int, grain: int, default_caption: str) -> Picture:
    try:
        with Image.open(path) as file:
            width, height = _plain(file).size
    except OSError as error:
        raise InvalidInput(f"the image {path.name} cannot be read: {error}", field="character_id") from error
    text = path.with_suffix(".txt")
    caption = text.read_text(encoding="utf-8").strip() if text.exists() else ""
    scale = resolution / max(height, width)
    shown = (_whole(height * scale, grain), _whole(width * scale, grain))
    cover = max(shown[0] / height, shown[1] / width)
    scaled = (max(shown[0], round(height * cover)), max(shown[1], round(width * cover)))
    corner = ((scaled[0] - shown[0]) // 2, (scaled[1] - shown[1]) // 2)
    return Picture(path, caption or default_caption, (height, width), scaled, corner, shown)


def _whole(length: float, grain: int) -> int:
    return max(grain, int(length + 0.5) // grain * grain)


def _plain(file: Image.Image) -> Image.Image:
    """The image upright and without transparency, which becomes white."""
    image = ImageOps.exif_transpose(file)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        shaded = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", shaded.size, "white"), shaded)
    return image.convert("RGB")


class BatchPlan:
    """Which pictures make up which batch, a function of the seed and the batch's number alone.

    Every epoch each picture comes up once, in a new order; a bucket's last batch is filled up from the same bucket.

    Args:
        pictures: Their index is what batches hold.
        batch_size: Pictures a batch; always exactly as many.
    """

    def __init__(self, pictures: list[Picture], batch_size: int, seed: int) -> None:
        self._size = batch_size
        self._seed = seed
        self._buckets: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index, picture in enumerate(pictures):
            self._buckets[picture.shown].append(index)
        self._epoch_length = sum(-(-len(bucket) // batch_size) for bucket in self._buckets.values())
        self._epoch: tuple[int, list[list[int]]] = (-1, [])

    @property
    def epoch_length(self) -> int:
        """Batches an epoch."""
        return self._epoch_length

    def batch(self, number: int) -> list[int]:
        """The pictures of batch `number`, counted from 0 over all epochs."""
        epoch, position = divmod(number, self._epoch_length)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._shuffled(epoch))
        return self._epoch[1][position]

    def _shuffled(self, epoch: int) -> list[list[int]]:
        rng = random.Random(f"{self._seed}/{epoch}")  # noqa: S311 - an order of pictures, not a secret
        batches = [batch for bucket in self._buckets.values() for batch in self._cut(bucket, rng)]
        rng.shuffle(batches)
        return batches

    def _cut(self, bucket: list[int], rng: random.Random) -> list[list[int]]:
        order = rng.sample(bucket, len(bucket))
        while len(order) % self._size:
            missing = self._size - len(order) % self._size
            order += rng.sample(bucket, min(missing, len(bucket)))
        return [order[start : start + self._size] for start in range(0, len(order), self._size)]
