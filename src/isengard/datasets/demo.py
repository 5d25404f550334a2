"""Where the demo's pictures and its tiny base model lie: inside the package, so that they work without a download.

`scripts/make_demo_character.py` and `scripts/make_tiny_model.py` made them. Never writes.
"""

from __future__ import annotations

from pathlib import Path

CHARACTER_NAME = "Mizu"
TRIGGER_WORD = "mizu"
DESCRIPTION = "A small blue creature with round ears, drawn by a script."

_FOLDER = Path(__file__).parent.parent / "demo"


def tiny_model() -> Path:
    """The folder of the tiny base model, a diffusers pipeline that draws coloured shapes at 32×32 pixels."""
    return _FOLDER / "tiny_model"


def character() -> Path:
    """The folder with the demo character: twelve PNG files, each with its caption in a ``.txt`` of the same stem."""
    return _FOLDER / "character"
