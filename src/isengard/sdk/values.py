"""What other libraries call their figures, in the words of `Run.log`. Leaves out what is no number; raises nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from isengard.sdk.numbers import figure

_LOSS = ("loss", "train_loss", "train/loss", "train_loss_step", "training_loss", "step_loss", "avg_loss")
_LR = ("lr", "learning_rate", "train/lr", "train/learning_rate")
_TAKEN = ("self", "step", "loss", "lr")


@dataclass(frozen=True, slots=True)
class Values:
    """The figures of a step; `rest` holds what is none."""

    loss: float | None = None
    lr: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Values:
        """Sort `values`: the first known name of a loss and of a learning rate count as such."""
        figures: dict[str, float] = {}
        rest: dict[str, Any] = {}
        for name, value in values.items():
            try:
                figures[str(name)] = figure(str(name), value)
            except TypeError:
                rest[str(name)] = value
        loss, lr = _take(figures, _LOSS), _take(figures, _LR)
        return cls(loss, lr, {_free(name): value for name, value in figures.items()}, rest)


def _take(figures: dict[str, float], names: tuple[str, ...]) -> float | None:
    """The figure with the first of `names` that is there, taken out of `figures`."""
    known = next((name for name in names if name in figures), None)
    return None if known is None else figures.pop(known)


def _free(name: str) -> str:
    return f"{name}_" if name in _TAKEN else name
