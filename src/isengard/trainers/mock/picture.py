"""The mock's sample images: a small painted landscape that emerges from noise as the training goes on.

The scene follows from the prompt and the seed, the clarity from the step; step and prompt stand at the lower edge.
"""

from __future__ import annotations

import colorsys
import math
import random
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

_SKIES = ((0.58, 0.95), (0.03, 0.55), (0.72, 0.85), (0.47, 0.6), (0.9, 0.62))  # hue above, hue at the horizon


def sample(prompt: str, seed: int, *, step: int, steps: int, size: int) -> Image.Image:
    """The sample of `step`: `size` by `size` pixels, RGB."""
    clarity = 1 - math.exp(-3.2 * step / max(steps, 1))
    scene = _scene(prompt, seed, size)
    blurred = scene.filter(ImageFilter.GaussianBlur(size / 9 * (1 - clarity) ** 2))
    noise = _noise(seed, size)
    mixed = Image.blend(noise, blurred, 0.06 + 0.94 * clarity)
    _caption(mixed, f"step {step} · {prompt}")
    return mixed


def _noise(seed: int, size: int) -> Image.Image:
    """Coloured noise with grains of several sizes, as the latents of a diffusion model decode to."""
    source = np.random.default_rng(seed)
    total = np.zeros((size, size, 3))
    for grain in (4, 12, 48, size):
        layer = Image.fromarray(source.integers(0, 256, (grain, grain, 3), dtype=np.uint8))
        total += np.asarray(layer.resize((size, size), Image.Resampling.BICUBIC), dtype=float)
    return Image.fromarray((total / 4).clip(0, 255).astype(np.uint8))


@lru_cache(maxsize=32)
def _scene(prompt: str, seed: int, size: int) -> Image.Image:
    """What the training converges to, drawn at twice the size and reduced so that edges are smooth."""
    dice = random.Random(f"{prompt}:{seed}")  # noqa: S311 - a picture, not a lock
    big = size * 2
    above, horizon = dice.choice(_SKIES)
    image = _sky(big, above, horizon)
    draw = ImageDraw.Draw(image)
    _sun(draw, dice, big)
    for depth in range(4):
        _hills(draw, dice, big, depth, above)
    _tower(draw, dice, big)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def _sky(size: int, above: float, horizon: float) -> Image.Image:
    rows = []
    for row in range(size):
        share = row / size
        hue = above + (horizon - above) * share
        rows.append([int(255 * part) for part in colorsys.hsv_to_rgb(hue % 1, 0.55 - 0.25 * share, 0.45 + 0.5 * share)])
    column = np.array(rows, dtype=np.uint8)[:, None, :]
    return Image.fromarray(np.repeat(column, size, axis=1))


def _sun(draw: ImageDraw.ImageDraw, dice: random.Random, size: int) -> None:
    x, y, radius = size * dice.uniform(0.2, 0.8), size * dice.uniform(0.18, 0.36), size * dice.uniform(0.05, 0.09)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 244, 214))


def _hills(draw: ImageDraw.ImageDraw, dice: random.Random, size: int, depth: int, hue: float) -> None:
    base = size * (0.5 + 0.11 * depth)
    phase, wave, height = dice.uniform(0, 6.3), dice.uniform(1.2, 3.2), size * dice.uniform(0.03, 0.09)
    ridge = [
        (x, base + height * (math.sin(phase + wave * x / size * 3.1) + 0.4 * math.sin(2.7 * phase + 7 * x / size)))
        for x in range(0, size + 8, 8)
    ]
    shade = colorsys.hsv_to_rgb((hue + 0.04 * depth) % 1, 0.35 + 0.1 * depth, 0.52 - 0.11 * depth)
    colour = tuple(int(255 * part) for part in shade)
    draw.polygon([(0, size), *ridge, (size, size)], fill=colour)


def _tower(draw: ImageDraw.ImageDraw, dice: random.Random, size: int) -> None:
    """A dark tower with a lit window: the subject the LoRA learns."""
    x, foot, width = size * dice.uniform(0.3, 0.7), size * 0.86, size * 0.055
    top = size * dice.uniform(0.3, 0.42)
    dark = (24, 22, 34)
    draw.polygon([(x - width, foot), (x - width * 0.6, top), (x + width * 0.6, top), (x + width, foot)], fill=dark)
    for horn in (-0.6, -0.2, 0.2, 0.6):
        centre = x + horn * width * 1.2
        peak = top - size * (0.07 if abs(horn) > 0.5 else 0.045)
        draw.polygon([(centre - width * 0.16, top), (centre, peak), (centre + width * 0.16, top)], fill=dark)
    light = width * 0.14
    for row in range(3):
        y = top + (foot - top) * (0.18 + 0.2 * row)
        draw.ellipse((x - light, y - light * 1.8, x + light, y + light * 1.8), fill=(255, 196, 92))


def _caption(image: Image.Image, text: str) -> None:
    size = image.width
    height = max(12, size // 13)
    font = ImageFont.load_default(size=height * 0.66)
    draw = ImageDraw.Draw(image, "RGBA")
    draw.rectangle((0, size - height, size, size), fill=(0, 0, 0, 150))
    draw.text((height * 0.3, size - height * 0.94), text[:120], font=font, fill=(255, 255, 255, 235))
