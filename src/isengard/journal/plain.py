"""Makes anything fit for a line of JSON of bounded length. Only what could not be serialised as it is comes here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

_DEEPEST = 32
_LONGEST_TEXT = 16_384
_MOST_ITEMS = 1_000
_WIDEST_INT = 1 << 63


def plain(value: Any, depth: int = 0) -> Any:
    """`value` with nothing in it that JSON cannot spell: odd keys and objects as text, endless ones cut off."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return (
            int(value) if -_WIDEST_INT <= value < _WIDEST_INT else _text(str(value) if abs(value) < 10**4000 else "…")
        )
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _plain_items(value, depth + 1) if depth < _DEEPEST else "…"
    return _text(_spelled(value))


def _plain_items(value: Mapping[Any, Any] | Iterable[Any], depth: int) -> Any:
    if isinstance(value, Mapping):
        return {_text(_spelled(key)): plain(item, depth) for key, item in islice(value.items(), _MOST_ITEMS)}
    return [plain(item, depth) for item in islice(value, _MOST_ITEMS)]


def _text(text: str) -> str:
    """`text` without halves of surrogate pairs, and not endless."""
    text = text.encode("utf-8", "replace").decode()
    over = len(text) - _LONGEST_TEXT
    return f"{text[:_LONGEST_TEXT]} … ({over} more)" if over > 0 else text


def _spelled(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # somebody else's __str__
        return f"<{type(value).__name__}>"
