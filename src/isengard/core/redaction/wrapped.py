"""Wrapped: tokens that a terminal, a mailer or a YAML folder broke over two or more lines.

A token whose first part is already complete is taken to go on only if what follows looks random: the next line's first
word is usually just that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from isengard.core.redaction.rules import Segment, Shape
from isengard.core.redaction.spans import MARK, Span
from isengard.core.redaction.views import INDENTED_BREAK, View

_RUN = re.compile(r"[A-Za-z0-9]+")


class WrappedShapes:
    """Finds the tokens of `shapes` that are broken over lines.

    Args:
        shapes: The kinds to look for.
    """

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self._shapes = shapes
        self.literals = tuple(sorted({literal for shape in shapes for literal in shape.literals}))

    def find(self, segment: Segment) -> Iterator[Span]:
        """Tokens with at least one break in them."""
        if segment.text.find("\n", 0, -1) < 0:
            return
        view = View(segment.text, INDENTED_BREAK)
        joined, lowered = Segment(view.text), view.text.lower()
        for shape in self._shapes:
            if any(literal in lowered for literal in shape.literals):
                yield from _broken(shape, joined, view)


def _broken(shape: Shape, joined: Segment, view: View) -> Iterator[Span]:
    for span in shape.find(joined):
        place = view.change_within(span.reach, span.end)
        if place < 0:
            continue
        head = Segment(joined.text[max(0, span.reach - 1) : place])
        complete = any(True for _ in shape.find(head))
        if not complete and shape.accept and not _is_no_word(joined.text[span.start : place]):
            continue
        end = _random_end(joined.text, place, span.end, view) if complete else span.end
        if end > place:
            yield Span(view.start(span.start), view.end(end), shape.kind, MARK, view.start(span.reach))


def _random_end(text: str, place: int, end: int, view: View) -> int:
    """How far a complete token goes on after the break at `place`: over lines whose first run looks random."""
    reached = place
    while place >= 0:
        following = view.change_within(place, end)
        part = text[place : end if following < 0 else following]
        run = max(_RUN.findall(part) or [""], key=len)
        if len(run) < 12 or not _looks_random(run):
            return reached
        reached = end if following < 0 else following
        place = following
    return reached


def _is_no_word(start: str) -> bool:
    """Whether the beginning of a token whose prefix is also met in code (``hf_transfer``) is no word of it."""
    return any(character.isdigit() for character in start) or start.lower() != start != start.upper()


def _looks_random(run: str) -> bool:
    return run.lower() != run != run.upper() and any(character.isdigit() for character in run)
