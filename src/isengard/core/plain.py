"""What a script hands over of its own, as JSON can hold it. Keeps what can be kept, changes the rest into text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_DEEPEST = 8
_MOST = 5_000
_LONGEST = 10_000
_INTEGERS = 2**63


def plain(value: Any) -> Any:
    """`value` made of dicts with text for keys, lists, texts, finite numbers, booleans and None. Raises nothing.

    What no JSON number can be (NaN, an infinity, an integer of more than 64 bits) is told in words; so is what is of a
    type of its own, and what is nested deeper, or is more, than a person reads.
    """
    return _Copy().of(value, 0)


class _Copy:
    """One copy; counts what it holds, because a mapping may hold itself many times."""

    def __init__(self) -> None:
        self._left = _MOST

    def of(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if not isinstance(value, Mapping | list | tuple | set | frozenset):
            return _leaf(value)
        if depth == _DEEPEST:
            return "…"  # its text might be as long as it is deep
        if isinstance(value, Mapping):
            return {_text(name): self.of(each, depth + 1) for name, each in value.items() if self._left > 0}
        return [self.of(each, depth + 1) for each in value if self._left > 0]


def _leaf(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -_INTEGERS <= value < _INTEGERS:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    return _text(value)


def _text(value: Any) -> str:
    try:
        text = str(value)
    except Exception:  # its own __str__ may raise anything
        text = f"<{type(value).__name__}>"
    return text[:_LONGEST].encode("utf-8", "replace").decode("utf-8")
