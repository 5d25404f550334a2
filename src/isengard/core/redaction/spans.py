"""Spans: the stretches of a text that a rule wants masked, and how they are cut out.

A span never carries the secret itself, so a list of spans may be shown or logged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MASK = "***"
"""What stands for the value of a secret's name: ``password=***``."""

MARK = "***REDACTED***"
"""What stands for the body of a recognised secret: ``hf_***REDACTED***``."""


@dataclass(frozen=True, slots=True)
class Span:
    """One stretch to mask.

    Attributes:
        start: First character to mask.
        end: One past the last character to mask.
        kind: What was recognised, such as ``github-token`` or ``name``.
        mask: The text that takes its place.
        context: Where the match that led here begins (a name before its value); at most `start`.
    """

    start: int
    end: int
    kind: str
    mask: str = MARK
    context: int = -1

    @property
    def reach(self) -> int:
        """The first character the decision rests on."""
        return self.start if self.context < 0 else self.context


def merge(spans: Iterable[Span]) -> list[Span]:
    """Sort `spans` and join those that overlap, or touch and are of one kind.

    The one that starts first, or is longest from there, names the result.
    """
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        last = merged[-1] if merged else None
        if last is None or span.start > last.end or (span.start == last.end and span.kind != last.kind):
            merged.append(span)
        elif span.end > last.end:
            merged[-1] = Span(last.start, span.end, last.kind, last.mask, min(last.reach, span.reach))
    return merged


def cut(text: str, spans: Iterable[Span]) -> str:
    """`text` with each of the merged `spans` replaced by its mask."""
    pieces: list[str] = []
    position = 0
    for span in spans:
        pieces.append(text[position : span.start])
        pieces.append(span.mask)
        position = span.end
    pieces.append(text[position:])
    return "".join(pieces)
