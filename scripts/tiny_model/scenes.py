"""Procedural scenes: flat coloured shapes on plain backgrounds with captions that describe them exactly.

Everything comes from one `random.Random`; the same seed draws the same pictures. No outside image is ever read.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

SIZE = 32
SCALE = 4
"""Scenes are drawn this many times larger and averaged down, which is their antialiasing."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 45, 45),
    "orange": (245, 145, 40),
    "yellow": (250, 220, 60),
    "green": (65, 170, 75),
    "teal": (40, 170, 170),
    "blue": (55, 100, 220),
    "purple": (140, 70, 190),
    "pink": (250, 150, 190),
    "brown": (140, 90, 50),
    "black": (25, 25, 30),
    "gray": (145, 145, 150),
    "white": (248, 248, 248),
}
PLACES: dict[str, tuple[float, float]] = {
    "": (0.5, 0.5),
    " on the left": (0.28, 0.5),
    " on the right": (0.72, 0.5),
    " at the top": (0.5, 0.28),
    " at the bottom": (0.5, 0.72),
}
SIZES: dict[str, float] = {"": 0.27, "small ": 0.15, "big ": 0.37}
LEADS = ("a ", "a ", "", "a picture of a ", "a drawing of a ")

Colour = tuple[int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Brush:
    """Draws one thing of radius `r` around (`x`, `y`), all in pixels of the large canvas."""

    draw: ImageDraw.ImageDraw
    x: float
    y: float
    r: float
    colour: Colour
    behind: Colour

    def disc(self, dx: float, dy: float, rx: float, ry: float, colour: Colour | None = None) -> None:
        """An ellipse; offsets and radii in units of `r`."""
        x, y = self.x + dx * self.r, self.y + dy * self.r
        box = (x - rx * self.r, y - ry * self.r, x + rx * self.r, y + ry * self.r)
        self.draw.ellipse(box, fill=colour or self.colour)

    def polygon(self, points: list[Point], colour: Colour | None = None) -> None:
        """A polygon; points in units of `r`."""
        self.draw.polygon(
            [(self.x + px * self.r, self.y + py * self.r) for px, py in points], fill=colour or self.colour
        )

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour | None = None) -> None:
        """A rectangle; corners in units of `r`."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)


def _around(count: int, radius: Callable[[int], float], turn: float = -90.0) -> list[Point]:
    angles = [math.radians(turn + 360.0 * i / count) for i in range(count)]
    return [(radius(i) * math.cos(a), radius(i) * math.sin(a)) for i, a in enumerate(angles)]


def _dark(colour: Colour) -> Colour:
    """A colour for details that stands out on `colour`."""
    return (30, 30, 35) if sum(colour) > 240 else (235, 235, 235)


def _circle(b: Brush) -> None:
    b.disc(0, 0, 1, 1)


def _square(b: Brush) -> None:
    b.box(-0.85, -0.85, 0.85, 0.85)


def _triangle(b: Brush) -> None:
    b.polygon([(0, -0.95), (1, 0.8), (-1, 0.8)])


def _star(b: Brush) -> None:
    b.polygon(_around(10, lambda i: 1.1 if i % 2 == 0 else 0.45))


def _diamond(b: Brush) -> None:
    b.polygon([(0, -1.1), (0.75, 0), (0, 1.1), (-0.75, 0)])


def _ring(b: Brush) -> None:
    b.disc(0, 0, 1, 1)
    b.disc(0, 0, 0.55, 0.55, b.behind)


def _cross(b: Brush) -> None:
    b.box(-0.32, -1, 0.32, 1)
    b.box(-1, -0.32, 1, 0.32)


def _heart(b: Brush) -> None:
    b.disc(-0.48, -0.35, 0.52, 0.52)
    b.disc(0.48, -0.35, 0.52, 0.52)
    b.polygon([(-0.95, -0.12), (0.95, -0.12), (0, 1.0)])


def _moon(b: Brush) -> None:
    b.disc(0, 0, 1, 1)
    b.disc(0.45, -0.1, 0.85, 0.85, b.behind)


def _flower(b: Brush) -> None:
    for px, py in _around(6, lambda _: 0.65):
        b.disc(px, py, 0.4, 0.4)
    b.disc(0, 0, 0.36, 0.36, (250, 225, 90) if b.colour != COLOURS["yellow"] else (240, 120, 40))


def _tree(b: Brush) -> None:
    b.box(-0.16, 0.2, 0.16, 1.05, (120, 75, 45))
    b.disc(0, -0.3, 0.75, 0.75)


def _house(b: Brush) -> None:
    b.box(-0.75, -0.1, 0.75, 0.95)
    b.polygon([(-1, -0.1), (0, -1), (1, -0.1)], (150, 60, 45) if b.colour != COLOURS["red"] else (90, 60, 50))
    b.box(-0.18, 0.35, 0.18, 0.95, _dark(b.colour))


def _face(b: Brush) -> None:
    b.disc(0, 0, 1, 1)
    dark = _dark(b.colour)
    for side in (-0.38, 0.38):
        b.disc(side, -0.25, 0.14, 0.2, dark)
    x, y, r = b.x, b.y, b.r
    b.draw.arc((x - 0.5 * r, y - 0.35 * r, x + 0.5 * r, y + 0.6 * r), 25, 155, fill=dark, width=max(2, int(0.13 * r)))


def _fish(b: Brush) -> None:
    b.disc(-0.15, 0, 0.85, 0.55)
    b.polygon([(0.5, 0), (1.1, -0.5), (1.1, 0.5)])
    b.disc(-0.55, -0.12, 0.12, 0.12, _dark(b.colour))


def _mushroom(b: Brush) -> None:
    b.box(-0.25, 0.0, 0.25, 0.95, (235, 222, 200))
    x, y, r = b.x, b.y, b.r
    b.draw.pieslice((x - r, y - 0.85 * r, x + r, y + 1.05 * r), 180, 360, fill=b.colour)


def _cup(b: Brush) -> None:
    b.disc(0.7, 0.0, 0.42, 0.42)
    b.disc(0.7, 0.0, 0.22, 0.22, b.behind)
    b.polygon([(-0.75, -0.7), (0.7, -0.7), (0.55, 0.8), (-0.6, 0.8)])


SHAPES: dict[str, Callable[[Brush], None]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "diamond": _diamond,
    "ring": _ring,
    "cross": _cross,
    "heart": _heart,
    "moon": _moon,
    "flower": _flower,
    "tree": _tree,
    "house": _house,
    "face": _face,
    "fish": _fish,
    "mushroom": _mushroom,
    "cup": _cup,
}


def _jitter(rng: random.Random, colour: Colour, by: int = 7) -> Colour:
    r, g, b = (min(255, max(0, channel + rng.randint(-by, by))) for channel in colour)
    return r, g, b


def _canvas(colour: Colour) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (SIZE * SCALE, SIZE * SCALE), colour)
    return image, ImageDraw.Draw(image)


def _shrink(image: Image.Image) -> Image.Image:
    return image.resize((SIZE, SIZE), Image.Resampling.BOX)


def paint(
    draw: ImageDraw.ImageDraw, shape: str, colour: Colour, behind: Colour, where: tuple[float, float, float]
) -> None:
    """Draw `shape` at `where` (x, y, radius, as shares of the canvas)."""
    x, y, r = (share * SIZE * SCALE for share in where)
    SHAPES[shape](Brush(draw, x, y, r, colour, behind))


def _nonsense(rng: random.Random) -> str:
    """A made-up word, so that an unknown word in a prompt means nothing rather than anything."""
    return "".join(rng.choice("bcdfghjklmnprstvwz") + rng.choice("aeiouy") for _ in range(rng.randint(1, 3)))


def _empty(rng: random.Random) -> tuple[Image.Image, str]:
    back = rng.choice(list(COLOURS))
    image, _ = _canvas(_jitter(rng, COLOURS[back]))
    return _shrink(image), rng.choice((f"a plain {back} background", f"on a {back} background"))


def _single(rng: random.Random) -> tuple[Image.Image, str]:
    front, back = rng.sample(list(COLOURS), 2)
    shape = rng.choice(list(SHAPES))
    size = rng.choice(["", "", "", "small ", "big "])
    place = rng.choice(list(PLACES)) if rng.random() < 0.4 and size != "big " else ""
    behind = _jitter(rng, COLOURS[back])
    image, draw = _canvas(behind)
    x, y = PLACES[place]
    wobble = 0.03
    where = (x + rng.uniform(-wobble, wobble), y + rng.uniform(-wobble, wobble), SIZES[size] * rng.uniform(0.92, 1.08))
    paint(draw, shape, _jitter(rng, COLOURS[front]), behind, where)
    return _shrink(image), f"{rng.choice(LEADS)}{size}{front} {shape}{place} on a {back} background"


def _pair(rng: random.Random) -> tuple[Image.Image, str]:
    left, right, back = rng.sample(list(COLOURS), 3)
    one, two = rng.choice(list(SHAPES)), rng.choice(list(SHAPES))
    behind = _jitter(rng, COLOURS[back])
    image, draw = _canvas(behind)
    for x, shape, colour in ((0.27, one, left), (0.73, two, right)):
        where = (x + rng.uniform(-0.02, 0.02), 0.5 + rng.uniform(-0.04, 0.04), 0.19 * rng.uniform(0.92, 1.08))
        paint(draw, shape, _jitter(rng, COLOURS[colour]), behind, where)
    return _shrink(image), f"a {left} {one} and a {right} {two} on a {back} background"


def scene(rng: random.Random) -> tuple[Image.Image, str]:
    """One picture of 64×64 pixels and its caption."""
    kind = rng.random()
    image, caption = _empty(rng) if kind < 0.04 else _pair(rng) if kind < 0.2 else _single(rng)
    if rng.random() < 0.12:
        word = _nonsense(rng)
        caption = rng.choice((f"{word} {caption}", f"{caption} {word}", f"{word}, {caption}"))
    return image, caption.replace("a orange", "an orange")


def clutter(rng: random.Random) -> Image.Image:
    """A heap of random ellipses, polygons, arcs and dots: what teaches the autoencoder more than the named shapes."""
    image, draw = _canvas(tuple(rng.randint(0, 255) for _ in range(3)))  # type: ignore[arg-type]
    extent = SIZE * SCALE
    for _ in range(rng.randint(2, 9)):
        x, y = rng.uniform(0, extent), rng.uniform(0, extent)
        rx, ry = (extent * rng.choice((0.03, 0.05, 0.1, 0.2, 0.3)) * rng.uniform(0.6, 1.4) for _ in range(2))
        colour = tuple(rng.randint(0, 255) for _ in range(3))
        kind = rng.randrange(4)
        if kind == 0:
            draw.polygon(
                [(x + rng.uniform(-rx, rx), y + rng.uniform(-ry, ry)) for _ in range(rng.randint(3, 6))], fill=colour
            )
        elif kind == 1:
            start = rng.uniform(0, 360)
            draw.arc(
                (x - rx, y - ry, x + rx, y + ry),
                start,
                start + rng.uniform(60, 240),
                fill=colour,
                width=rng.randint(3, 12),
            )
        else:
            draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=colour)
    return _shrink(image)


def pixels(image: Image.Image) -> np.ndarray:
    """The picture as (3, 64, 64) bytes."""
    return np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)


def words() -> list[str]:
    """Every word of the captions, for the tokenizer."""
    fixed = {"a", "an", "of", "on", "the", "at", "and", "left", "right", "top", "bottom", "small", "big", ",", "."}
    fixed |= {"plain", "background", "picture", "drawing"}
    return sorted({*fixed, *COLOURS, *SHAPES})
