"""Cuts what is too long for a line to size: long texts, long lists, deep nesting, objects that cannot be spelled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

_DEEPEST = 32
_LONGEST_TEXT = 16_384
_MOST_ITEMS = 1_000


def shortened(value: Any, depth: int = 0) -> Any:
    """`value` with bounded texts and collections; what was cut is counted."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _items(value, depth + 1) if depth < _DEEPEST else "…"
    return _text(_spelled(value))


def _items(value: Mapping[Any, Any] | Iterable[Any], depth: int) -> Any:
    if isinstance(value, Mapping):
        return {_text(_spelled(key)): shortened(item, depth) for key, item in islice(value.items(), _MOST_ITEMS)}
    return [shortened(item, depth) for item in islice(value, _MOST_ITEMS)]


def _text(text: str) -> str:
    over = len(text) - _LONGEST_TEXT
    return f"{text[:_LONGEST_TEXT]} … ({over} more)" if over > 0 else text


def _spelled(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # somebody else's __str__
        return f"<{type(value).__name__}>"
