"""Resumable training: state on disk every so often, a line of progress for whoever waits.

An interruption loses at most `EVERY_S` seconds of work.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import torch

EVERY_S = 45.0


class Keeper:
    """Keeps the state of one training in one file and says how it goes.

    Args:
        path: The state file; replaced whole.
        parts: Whatever has `state_dict` and `load_state_dict`, by name.
        recipe: Everything about the training that the shapes of the weights do not tell. A state of another recipe is
            refused: weights of another number of normalisation groups, for one, would load and draw blots.
    """

    def __init__(self, path: Path, parts: dict[str, Any], recipe: str) -> None:
        self.path = path
        self.parts = parts
        self.recipe = recipe
        self._saved = time.monotonic()
        self._since = (time.monotonic(), 0)
        self._loss: float | None = None

    def restore(self) -> int:
        """Load the state if there is one and return the step to go on from."""
        if not self.path.exists():
            return 0
        state = torch.load(self.path, weights_only=True)
        if state.get("recipe") != self.recipe:
            raise SystemExit(f"{self.path} was made by another recipe; take another work folder or remove it")
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        self._since = (time.monotonic(), state["step"])
        print(f"{self.path.stem}: going on from step {state['step']}", flush=True)
        return int(state["step"])

    def save(self, step: int) -> None:
        """Write the state now."""
        fresh = self.path.with_suffix(".new")
        torch.save(
            {"step": step, "recipe": self.recipe, **{name: part.state_dict() for name, part in self.parts.items()}},
            fresh,
        )
        os.replace(fresh, self.path)
        self._saved = time.monotonic()

    def tick(self, step: int, steps: int, loss: float) -> None:
        """Take note of a finished step: print every 50, save when it is time."""
        self._loss = loss if self._loss is None else 0.97 * self._loss + 0.03 * loss
        if step % 50 == 0:
            began, first = self._since
            pace = (step - first) / max(time.monotonic() - began, 1e-9)
            print(f"{self.path.stem}: {step}/{steps} loss {self._loss:.4f} {pace:.2f} it/s", flush=True)
        if step == steps or time.monotonic() - self._saved > EVERY_S:
            self.save(step)
