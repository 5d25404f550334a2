"""Serialising: one JSON line of whatever it is given, the way journals and logs write it.

orjson does nearly all of it; what it refuses (lone surrogates, integers over 64 bits, odd keys, cycles) is made plain
first, so that a strange value never costs a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
_DEEPEST = 100


def to_line(obj: Any) -> bytes:
    """`obj` as one line of JSON with a line feed at its end; NaN becomes null, unknown objects their text."""
    try:
        return orjson.dumps(obj, default=str, option=_OPTIONS)
    except (TypeError, RecursionError, ValueError):
        return orjson.dumps(_plain(obj, 0), default=_replaced, option=_OPTIONS)


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {_replaced(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    return _replaced(value)


def _replaced(value: Any) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode()
