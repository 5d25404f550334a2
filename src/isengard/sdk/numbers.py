"""Numbers as scripts have them: of Python, of numpy, tensors of one element. What is none is the script's mistake."""

from __future__ import annotations

import math
from typing import Any


def figure(name: str, value: Any) -> float:
    """`value` as a float; raises TypeError naming `name`. A tensor on a GPU is waited for, as `item` does."""
    if isinstance(value, bool | str | bytes):
        raise _no_number(name, value)
    try:
        if isinstance(value, int | float):
            return float(value)
        return float(value.item())  # a tensor, or an array with one element
    except (AttributeError, TypeError, ValueError, RuntimeError, OverflowError):
        raise _no_number(name, value) from None


def step_number(value: Any) -> int:
    """`value` as the number of a step; raises TypeError for what is no number, ValueError for one that cannot be it."""
    number = figure("step", value)
    if not math.isfinite(number) or not number.is_integer() or number < 0:
        raise ValueError(f"step must be a whole number from 0, not {value!r}")
    return int(number)


def optional(name: str, value: Any) -> float | None:
    """`figure`, or None for None."""
    return None if value is None else figure(name, value)


def _no_number(name: str, value: Any) -> TypeError:
    return TypeError(f"{name} must be a number or a tensor of one element, not {_shown(value)}")


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:60] + '…'}"
