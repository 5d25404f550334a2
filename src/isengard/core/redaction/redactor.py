"""The redactor: the one way in which secrets are taken out of what leaves the process.

Values are redacted and then serialised, never the other way round. Clean text costs one scan for literals; only where
one of them shows do the rules look. Redacting twice gives what redacting once gave.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from isengard.core.redaction.assignments import Assignments
from isengard.core.redaction.headers import Authorization, BareCredentials, Cookies
from isengard.core.redaction.known import KnownValues, known_from_environment
from isengard.core.redaction.names import Sensitivity, sensitivity
from isengard.core.redaction.prefilter import Prefilter
from isengard.core.redaction.rules import Rule, Segment
from isengard.core.redaction.spans import MASK, Span, cut, merge
from isengard.core.redaction.urls import QuerySecrets, UrlCredentials
from isengard.core.redaction.values import is_harmless
from isengard.core.redaction.vendors import VENDORS

DEFAULT: tuple[Rule, ...] = (
    *VENDORS,
    UrlCredentials(),
    QuerySecrets(),
    Authorization(),
    Cookies(),
    BareCredentials(),
    Assignments(),
)
"""The rules that are always on."""

_SHORTEST = 5
_ROUNDS = 6
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret found in a text: what it is and where, never the secret itself."""

    kind: str
    start: int
    end: int


class Redactor:
    """Masks secrets in texts, values, file names and environments. Immutable and safe to share between threads.

    Args:
        known: Values that are secrets wherever they show up, in any encoding.
        rules: What else to look for.
    """

    def __init__(self, known: Iterable[str] = (), rules: Sequence[Rule] = DEFAULT) -> None:
        self._known = tuple(dict.fromkeys(known))
        self._base = tuple(rules)
        self._rules: tuple[Rule, ...] = (*rules, KnownValues(self._known)) if self._known else self._base
        self._prefilter = Prefilter([rule.literals for rule in self._rules])

    def with_known(self, *values: str) -> Redactor:
        """A redactor that also masks `values`."""
        return Redactor((*self._known, *values), self._base)

    def text(self, text: str) -> str:
        """`text` with its secrets masked; the same object if there are none."""
        if len(text) < _SHORTEST or not self._prefilter.hits(text):
            return text
        for _ in range(_ROUNDS):
            spans = self._spans(text)
            if not spans:
                break
            masked = cut(text, spans)
            if masked == text:
                break
            text = masked
        return text

    def find(self, text: str) -> list[Finding]:
        """What `text` would mask and where."""
        return [
            Finding(span.kind, span.start, span.end)
            for span in self._spans(text)
            if text[span.start : span.end] != span.mask
        ]

    def _spans(self, text: str) -> list[Span]:
        segment = Segment(text)
        return merge(span for index in self._prefilter.rules_for(text) for span in self._rules[index].find(segment))

    def value(self, value: Any) -> Any:
        """`value` with its secrets masked, however nested; the same object if there are none."""
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, list | tuple):
            items = [self.value(item) for item in value]
            changed = any(new is not old for new, old in zip(items, value, strict=True))
            return type(value)(items) if changed and type(value) in (list, tuple) else items if changed else value
        return self._other(value)

    def _other(self, value: Any) -> Any:
        text = str(value)
        masked = self.text(text)
        return value if masked is text else masked

    def _mapping(self, mapping: Mapping[Any, Any]) -> Any:
        result: dict[Any, Any] = {}
        changed = False
        for key, old in mapping.items():
            name = self.text(key) if isinstance(key, str) else key
            new = self._named(key, old) if isinstance(key, str) else self.value(old)
            changed = changed or new is not old or name is not key
            result[name] = new
        return result if changed else mapping

    def _named(self, key: str, value: Any) -> Any:
        level = sensitivity(key)
        if level < Sensitivity.NORMAL:
            return self.value(value)
        if isinstance(value, str):
            return value if is_harmless(value, key, level, quoted=True) and value == self.text(value) else MASK
        if isinstance(value, Mapping):
            return {name: self._named(key, item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._named(key, item) for item in value]
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            return MASK if level is Sensitivity.STRONG else value
        return MASK

    def dumps(self, obj: Any) -> bytes:
        """`obj` as one line of JSON with its secrets masked and a line feed at its end."""
        line: bytes = orjson.dumps(obj, default=str, option=_OPTIONS)
        if not self._prefilter.hits_bytes(line):
            return line
        return orjson.dumps(self.value(obj), default=str, option=_OPTIONS)

    def filename(self, name: str) -> str:
        """`name` (or a path) with its secrets masked by characters that are legal in file names; its suffix stays."""
        if self.text(name) is name:
            return name
        stem, suffix = os.path.splitext(name)
        stem, suffix = (stem, suffix) if len(suffix) <= 6 else (name, "")
        return (self.text(stem) + suffix).replace("***REDACTED***", "REDACTED").replace("***", "REDACTED")

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """`environment` with the values of secrets' names and every other secret masked."""
        return {self.text(name): self._named(name, value) for name, value in environment.items()}

    def stream(self) -> StreamRedactor:
        """A redactor for output that comes in pieces."""
        return StreamRedactor(self)


class StreamRedactor:
    """Masks secrets in a stream of bytes that may be split anywhere."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return those that can be judged already, redacted."""
        self._held += data
        end = self._held.rfind(b"\n") + 1
        ready, self._held = self._held[:end], self._held[end:]
        return self._redact(ready)

    def flush(self) -> bytes:
        """Return what is still held back, redacted."""
        ready, self._held = self._held, b""
        return self._redact(ready)

    def _redact(self, data: bytes) -> bytes:
        return self._redactor.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


__all__ = ["DEFAULT", "Finding", "Iterator", "Redactor", "StreamRedactor", "known_from_environment"]
