"""Draw the demo character: a dozen pictures of Mizu, a small blue creature with round ears, each with its caption.

    python scripts/make_demo_character.py [FOLDER]

The pictures are drawn from the table below and nothing else; running it again gives the same bytes of pixels. Mizu is
in no scene that the tiny base model was trained on (`scripts/tiny_model/scenes.py`).
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from tiny_model.scenes import COLOURS

TRIGGER = "mizu"
SIZE = 256
SCALE = 4
FOLDER = Path(__file__).parent.parent / "src/isengard/demo/character"

BLUE, DEEP = (72, 126, 235), (48, 90, 190)
CREAM, ROSE, INK, WHITE = (250, 238, 214), (250, 150, 175), (28, 28, 40), (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Pose:
    """One picture: arms in degrees above the horizontal, gaze from -1 (left) to 1 (right), lengths as shares of it."""

    background: str
    words: str = ""
    x: float = 0.5
    y: float = 0.54
    radius: float = 0.27
    left_arm: float = -35
    right_arm: float = -35
    gaze: float = 0.0
    blink: bool = False
    open_mouth: bool = False


POSES = (
    Pose("yellow"),
    Pose("green", "waving", right_arm=55),
    Pose("white", "big", radius=0.33, y=0.56),
    Pose("red", "", gaze=0.8),
    Pose("purple", "jumping", y=0.46, left_arm=50, right_arm=50, open_mouth=True),
    Pose("orange", "small", radius=0.18),
    Pose("gray", "sleeping", blink=True),
    Pose("black", "", gaze=-0.8),
    Pose("brown", "waving", left_arm=55, open_mouth=True),
    Pose("teal", "on the left", x=0.31, gaze=0.8, radius=0.24),
    Pose("white", "on the right", x=0.69, gaze=-0.8, radius=0.24),
    Pose("yellow", "jumping", y=0.46, left_arm=50, right_arm=50),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """The creature on a canvas: lengths are in units of its radius, from the middle of its body."""

    draw: ImageDraw.ImageDraw
    pose: Pose

    def disc(self, dx: float, dy: float, rx: float, ry: float, colour: tuple[int, int, int]) -> None:
        """An ellipse around (`dx`, `dy`)."""
        side = SIZE * SCALE
        r = self.pose.radius * side
        x, y = self.pose.x * side + dx * r, self.pose.y * side + dy * r
        self.draw.ellipse((x - rx * r, y - ry * r, x + rx * r, y + ry * r), fill=colour)

    def arc(self, dx: float, dy: float, radius: float, sweep: tuple[float, float], width: float) -> None:
        """A dark line along a circle around (`dx`, `dy`), from and to the degrees in `sweep`."""
        side = SIZE * SCALE
        r = self.pose.radius * side
        x, y = self.pose.x * side + dx * r, self.pose.y * side + dy * r
        box = (x - radius * r, y - radius * r, x + radius * r, y + radius * r)
        self.draw.arc(box, sweep[0], sweep[1], fill=INK, width=int(width * r))


def _arm(figure: Figure, side: int, degrees: float) -> None:
    angle = math.radians(degrees)
    for reach in (0.0, 0.1, 0.2, 0.3, 0.4):
        dx, dy = side * (0.85 + reach * math.cos(angle)), 0.2 - reach * math.sin(angle)
        figure.disc(dx, dy, 0.17, 0.17, DEEP)


def _body(figure: Figure) -> None:
    for side in (-1, 1):
        figure.disc(side * 0.42, 0.98, 0.3, 0.16, DEEP)
        figure.disc(side * 0.68, -0.85, 0.4, 0.4, BLUE)
        figure.disc(side * 0.68, -0.85, 0.22, 0.22, ROSE)
    _arm(figure, -1, figure.pose.left_arm)
    _arm(figure, 1, figure.pose.right_arm)
    figure.disc(0, 0, 1, 1, BLUE)
    figure.disc(0, 0.48, 0.58, 0.46, CREAM)


def _face(figure: Figure) -> None:
    pose = figure.pose
    for side in (-1, 1):
        if pose.blink:
            figure.arc(side * 0.36, -0.3, 0.2, (20, 160), 0.09)
        else:
            figure.disc(side * 0.36, -0.25, 0.26, 0.3, WHITE)
            figure.disc(side * 0.36 + 0.1 * pose.gaze, -0.21, 0.14, 0.18, INK)
        figure.disc(side * 0.7, 0.06, 0.14, 0.1, ROSE)
    if pose.open_mouth:
        figure.disc(0, 0.22, 0.17, 0.14, INK)
    else:
        figure.arc(0, 0.08, 0.22, (25, 155), 0.08)


def draw(pose: Pose) -> Image.Image:
    """The picture of one pose, 256×256 pixels."""
    canvas = Image.new("RGB", (SIZE * SCALE, SIZE * SCALE), COLOURS[pose.background])
    figure = Figure(ImageDraw.Draw(canvas), pose)
    _body(figure)
    _face(figure)
    return canvas.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def caption(pose: Pose) -> str:
    """What goes into the text file beside it."""
    return " ".join(part for part in (TRIGGER, pose.words, f"on a {pose.background} background") if part)


def main(folder: Path) -> None:
    """Write all pictures and captions into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, pose in enumerate(POSES, start=1):
        draw(pose).save(folder / f"mizu_{number:02d}.png", optimize=True)
        (folder / f"mizu_{number:02d}.txt").write_text(caption(pose) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
