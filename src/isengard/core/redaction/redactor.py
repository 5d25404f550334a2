"""The redactor: the one way in which secrets are taken out of what leaves the process.

Values are redacted and then serialised, never the other way round. Clean text costs one scan for literals; only where
one of them shows do the rules look. Redacting twice gives what redacting once gave.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isengard.core.redaction.assignments import Assignments
from isengard.core.redaction.blocks import KeyBlocks
from isengard.core.redaction.commands import CommandPasswords, NetrcPasswords
from isengard.core.redaction.engine import Engine
from isengard.core.redaction.groups import DescribedValues, Groups
from isengard.core.redaction.headers import Authorization, BareCredentials, Cookies
from isengard.core.redaction.known import KnownValues, known_from_environment
from isengard.core.redaction.nested import NestedValues
from isengard.core.redaction.rules import Rule
from isengard.core.redaction.scanner import CAP, Piece, Scanner
from isengard.core.redaction.serialise import to_line
from isengard.core.redaction.sources import SocketPasswords
from isengard.core.redaction.spans import MARK, MASK
from isengard.core.redaction.stream import StreamRedactor
from isengard.core.redaction.urls import QuerySecrets, UrlCredentials
from isengard.core.redaction.user_rules import user_rules
from isengard.core.redaction.vendors import VENDORS
from isengard.core.redaction.wrapped import WrappedShapes

DEFAULT: tuple[Rule, ...] = (
    *VENDORS,
    WrappedShapes(VENDORS),
    KeyBlocks(),
    UrlCredentials(),
    QuerySecrets(),
    SocketPasswords(),
    Authorization(),
    Cookies(),
    BareCredentials(),
    Assignments(),
    Groups(),
    DescribedValues(),
    CommandPasswords(),
    NetrcPasswords(),
)
"""The rules that are always on."""

_FILE_MASK = "REDACTED"
_LONGEST_SUFFIX = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret found in a text, never the secret itself.

    Attributes:
        kind: What it is: a vendor's token, ``name``, ``known-value``, ``private-key`` …
        start: Its first character in the text.
        end: One past its last.
    """

    kind: str
    start: int
    end: int


class Redactor:
    """Masks secrets in texts, values, file names and environments. Immutable and safe to share between threads.

    Args:
        known: Values that are secrets wherever they show up, in any encoding; those under 8 characters are left out.
        rules: What else to look for.
    """

    def __init__(self, known: Iterable[str] = (), rules: Sequence[Rule] = DEFAULT) -> None:
        self._known = tuple(dict.fromkeys(known))
        self._rules = tuple(rules)
        values = KnownValues(self._known) if self._known else None
        self._engine = Engine(self._rules, values if values and values.literals else None)
        self._nested = NestedValues(self.text)

    @classmethod
    def configured(cls, environment: Mapping[str, str], patterns: str = "") -> Redactor:
        """The redactor of a process: the secrets in its `environment` are known, the user's `patterns` are rules.

        Args:
            environment: Usually ``os.environ``.
            patterns: The setting ``redact_patterns``.

        Raises:
            ValueError: A pattern is not valid.
        """
        return cls(known_from_environment(environment), (*DEFAULT, *user_rules(patterns)))

    def with_known(self, *values: str) -> Redactor:
        """A redactor that also masks `values`."""
        return Redactor((*self._known, *values), self._rules)

    def text(self, text: str) -> str:
        """`text` with its secrets masked; the same object if there are none."""
        if len(text) < CAP:
            if self._engine.is_clean(text):
                return text
            if "\n" not in text and "\r" not in text:
                return self._engine.mask(text)
        masked = "".join(piece.text if piece.clean else self._engine.mask(piece.text) for piece in self._pieces(text))
        return text if masked == text else masked

    def find(self, text: str) -> list[Finding]:
        """What `text` would mask and where, in order."""
        findings, position = [], 0
        for piece in self._pieces(text):
            for span in self._engine.spans(piece.text):
                if piece.text[span.start : span.end] != span.mask:
                    start, end = (_original(place, piece) for place in (span.start, span.end))
                    findings.append(Finding(span.kind, position + start, position + end))
            position += len(piece.text) + piece.missing
        return findings

    def _pieces(self, text: str) -> Iterator[Piece]:
        scanner = Scanner(self._engine)
        yield from scanner.feed(text)
        yield from scanner.flush()

    def value(self, value: Any) -> Any:
        """`value` with its secrets masked, however nested; the same object if there are none."""
        return self._nested.mask(value)

    def dumps(self, obj: Any) -> bytes:
        """`obj` as one line of JSON with its secrets masked and a line feed at its end."""
        line = to_line(obj)
        return line if self._engine.is_clean_line(line) else to_line(self._nested.mask(obj))

    def filename(self, name: str) -> str:
        """`name` (or a path) with its secrets masked by characters that are legal in file names; its suffix stays."""
        if self.text(name) == name:
            return name
        stem, suffix = os.path.splitext(name)
        if len(suffix) > _LONGEST_SUFFIX or self.text(suffix) != suffix:
            stem, suffix = name, ""
        return self.text(stem).replace(MARK, _FILE_MASK).replace(MASK, _FILE_MASK) + suffix

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """`environment` with the values of secrets' names and every other secret masked."""
        return {self.text(name): self._nested.named(name, value) for name, value in environment.items()}

    def stream(self) -> StreamRedactor:
        """A redactor for output that comes in pieces."""
        return StreamRedactor(self._engine)


def _original(place: int, piece: Piece) -> int:
    return place + piece.missing if place > piece.hole else place
