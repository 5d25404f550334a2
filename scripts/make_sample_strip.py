"""Lay the samples of a run side by side, one row a prompt, its step under each: the picture in the README.

python scripts/make_sample_strip.py JOB_FOLDER OUTPUT.png [--tile 112]
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_NAME = re.compile(r"step_(?P<step>\d+)_(?P<index>\d+)\.png")
_GAP, _LABEL = 6, 22
_PAPER, _INK = "#ffffff", "#3a4452"


def samples(folder: Path) -> dict[int, dict[int, Path]]:
    """The sample files of a job by the prompt's index and the step."""
    found: dict[int, dict[int, Path]] = {}
    for path in sorted((folder / "samples").iterdir()):
        match = _NAME.fullmatch(path.name)
        if match:
            found.setdefault(int(match["index"]), {})[int(match["step"])] = path
    return found


def strip(rows: dict[int, dict[int, Path]], tile: int) -> Image.Image:
    """The picture; every sample enlarged to `tile` pixels a side."""
    steps = sorted({step for row in rows.values() for step in row})
    width = len(steps) * (tile + _GAP) + _GAP
    image = Image.new("RGB", (width, len(rows) * (tile + _GAP) + _GAP + _LABEL), _PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    for column, step in enumerate(steps):
        left = _GAP + column * (tile + _GAP)
        for number, row in enumerate(rows.values()):
            if step in row:
                with Image.open(row[step]) as sample:
                    large = sample.convert("RGB").resize((tile, tile), Image.Resampling.BICUBIC)
                image.paste(large, (left, _GAP + number * (tile + _GAP)))
        label = "untrained" if step == 0 else f"step {step}"
        draw.text((left + tile / 2, image.height - _LABEL / 2 - 2), label, _INK, font, anchor="mm")
    return image


def main() -> None:
    """Read the command line, draw, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job", type=Path, help="a job's folder, logs/jobs/train-…")
    parser.add_argument("output", type=Path)
    parser.add_argument("--tile", type=int, default=112)
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    strip(samples(arguments.job), arguments.tile).save(arguments.output, optimize=True)


if __name__ == "__main__":
    main()
