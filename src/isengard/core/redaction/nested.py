"""Nested values: dicts, lists and what else becomes JSON, masked leaf by leaf, with the keys deciding for their values.

A clean value comes back as the same object. Nothing is changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from isengard.core.redaction.names import Sensitivity, sensitivity
from isengard.core.redaction.spans import MASK
from isengard.core.redaction.values import FEW, is_harmless

_DEEPEST = 200
"""Below this depth a value is masked as its text; orjson goes no deeper than 254."""


class NestedValues:
    """Masks nested values with the help of a redactor of texts.

    Args:
        text: Masks one text and returns the same object if it is clean.
    """

    def __init__(self, text: Callable[[str], str]) -> None:
        self._text = text

    def mask(self, value: Any, depth: int = 0) -> Any:
        """`value` with its secrets masked."""
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, bool):
            return value
        if depth < _DEEPEST:
            if isinstance(value, Mapping):
                return self._mapping(value, depth + 1)
            if is_dataclass(value) and not isinstance(value, type):
                plain = {field.name: getattr(value, field.name) for field in fields(value)}
                masked = self._mapping(plain, depth + 1)
                return value if masked is plain else masked
            if isinstance(value, list | tuple):
                return self._sequence(value, depth + 1)
        return self._as_text(value)

    def _sequence(self, items: Sequence[Any], depth: int) -> Any:
        """A list or tuple: a member after the flag of a secret, and the second of a pair of strings, has a name."""
        masked = []
        for index, item in enumerate(items):
            before = items[index - 1] if index else None
            is_pair = len(items) == 2 and isinstance(items, tuple)
            if isinstance(item, str) and isinstance(before, str) and _has_name(before, item, is_pair=is_pair):
                masked.append(self.named(before, item, depth))
            else:
                masked.append(self.mask(item, depth))
        return _same_or(items, masked)

    def _as_text(self, value: Any) -> Any:
        """A number, a path, an exception: itself, unless its text holds a secret."""
        text = str(value)
        masked = self._text(text)
        return value if masked is text else masked

    def _mapping(self, mapping: Mapping[Any, Any], depth: int) -> Any:
        described = self._described(mapping)
        masked: dict[Any, Any] = {}
        changed = False
        for key, old in mapping.items():
            name = self._text(key) if isinstance(key, str) else key
            new = self.named(key, old, depth) if isinstance(key, str) else self.mask(old, depth)
            if key in described and isinstance(old, str):
                new = self.named(described[key], old, depth)
            changed = changed or new is not old or name is not key
            masked[_free(name, masked)] = new
        return masked if changed else mapping

    def _described(self, mapping: Mapping[Any, Any]) -> dict[Any, str]:
        """The keys whose names stand beside them: ``{"name": "HF_TOKEN", "value": …}``, and Kaggle's ``key``."""
        name = mapping.get("name", mapping.get("key"))
        if "value" in mapping and isinstance(name, str):
            return {"value": name}
        return {"key": "api_key"} if "key" in mapping and "username" in mapping else {}

    def named(self, name: str, value: Any, depth: int = 0) -> Any:
        """`value` as it may be shown under `name`."""
        level = sensitivity(name)
        if level < Sensitivity.NORMAL:
            masked = self.mask(value, depth)
            if level is Sensitivity.WEAK and isinstance(value, str) and masked is value:
                return self._text(f"{name}={value}").partition("=")[2] if " " not in value else value
            return masked
        return self._secret(name, level, value, depth)

    def _secret(self, name: str, level: Sensitivity, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            return MASK if level is Sensitivity.STRONG and value >= FEW else self._as_text(value)
        if isinstance(value, str):
            harmless = value in ("", MASK) or is_harmless(value, name, level, quoted=True)
            return self._text(value) if harmless else MASK
        if isinstance(value, Mapping):
            return self._container(name, level, value, depth)
        if isinstance(value, list | tuple):
            return _same_or(value, [self._secret(name, level, item, depth + 1) for item in value])
        return MASK

    def _container(self, name: str, level: Sensitivity, value: Mapping[Any, Any], depth: int) -> Any:
        items = {key: self._secret(name, level, item, depth + 1) for key, item in value.items()}
        return value if all(items[key] is item for key, item in value.items()) else items


def _has_name(before: str, item: str, *, is_pair: bool) -> bool:
    return (is_pair or before.startswith("--")) and not item.startswith("-")


def _same_or(old: Sequence[Any], new: list[Any]) -> Any:
    """`old` if nothing in it changed, else `new` in a list or tuple like it."""
    if all(one is other for one, other in zip(old, new, strict=True)):
        return old
    return tuple(new) if isinstance(old, tuple) else new


def _free(name: Any, taken: Mapping[Any, Any]) -> Any:
    """`name`, numbered if two masked keys came out alike, so that no value is lost."""
    number, free = 2, name
    while free in taken:
        free, number = f"{name} ({number})", number + 1
    return free
