"""The scanner: cuts a text that arrives in pieces into segments that can be judged by themselves.

Where it cuts depends on the text alone, never on how it was split, so a stream comes out as the whole text would. A
segment is a line, or several where a secret may go on in the next one: a private-key block, a YAML block, a name whose
value has not come yet, a token or known value that reaches the end of its line.

At most `CAP` characters are held. In a longer segment a window of that size is searched and cut where no match, nor the
name before it, is cut through; a single secret longer than the window loses its middle, which is to be masked anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from isengard.core.redaction.engine import Engine
from isengard.core.redaction.lines import Continuation
from isengard.core.redaction.spans import Span

CAP = 65_536
"""Characters held back at most."""

_LOOK = 8_192
"""Of a full window, the last characters serve only to see secrets whole."""

_KEPT = 1_024
"""Of a secret longer than the window, the characters kept at each end."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment.

    Attributes:
        text: Its text.
        hole: Where characters were left out of `text`.
        missing: How many.
        clean: Whether a scan has shown that no rule can find anything in it.
    """

    text: str
    hole: int = 0
    missing: int = 0
    clean: bool = False


class Scanner:
    """Turns text into segments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._continuation = Continuation(engine)
        self._held = ""
        self._line_start = 0
        self._carriage = ""
        self._hole = self._missing = 0

    @property
    def held(self) -> str:
        """What is held back."""
        return self._held + self._carriage

    def feed(self, text: str) -> Iterator[Piece]:
        """Take more text; yield the segments that are complete."""
        text = self._carriage + text
        self._carriage = "\r" if text.endswith("\r") else ""
        text = text[:-1] if self._carriage else text
        position, tried = 0, False
        while position < len(text):
            if not self._held and not tried:
                tried = True
                end = self._end_of_clean_head(text, position)
                if end > position:
                    yield Piece(text[position:end], clean=True)
                    position = end
                    continue
            line = _LINE.match(text, position)
            position = line.end() if line else len(text)
            yield from self._take(line[0] if line else "")

    def flush(self) -> Iterator[Piece]:
        """Yield what is held back."""
        rest, self._carriage = self._carriage, ""
        if rest:
            yield from self._take(rest)
        if self._held:
            yield self._release(len(self._held))

    def _end_of_clean_head(self, text: str, start: int) -> int:
        """Where the lines at the head of `text` end that need no look one by one; the last whole line always does."""
        end = text.rfind("\n", start, max(start, text.rfind("\n", start))) + 1
        return end if end > start and self._engine.is_clean(text[start:end]) else start

    def _take(self, line: str) -> Iterator[Piece]:
        """Add a line, or a part of one, to what is held."""
        if self._held and self._line_start == len(self._held) and self._continuation.ends_before(line):
            yield self._release(len(self._held))
        while len(self._held) + len(line) >= CAP:
            room = CAP - len(self._held)
            self._held, line = self._held + line[:room], line[room:]
            yield from self._cut_window()
        self._held += line
        if self._held.endswith(("\n", "\r")):
            if self._continuation.goes_on(self._held, self._line_start):
                self._line_start = len(self._held)
            else:
                yield self._release(len(self._held))

    def _release(self, length: int) -> Piece:
        piece = Piece(self._held[:length], self._hole, self._missing)
        self._held = self._held[length:]
        self._line_start = self._hole = self._missing = 0
        if not self._held:
            self._continuation.reset()
        return piece

    def _cut_window(self) -> Iterator[Piece]:
        place, over = _place_to_cut(self._engine.spans(self._held), len(self._held))
        if over is None:
            yield self._release(place)
            return
        left = min(over.start + _KEPT, CAP // 2)
        self._hole = left
        self._missing += len(self._held) - _KEPT - left
        self._held = self._held[:left] + self._held[-_KEPT:]
        self._line_start = min(self._line_start, len(self._held))


def _place_to_cut(spans: list[Span], length: int) -> tuple[int, Span | None]:
    """Where to cut a full window; or the span that fills it from its start to its end.

    Never through a secret, and not between a name and its value either, unless names and values hang together for more
    than half a window: text made for that would else be searched anew for every few characters of it.
    """
    wanted = length - _LOOK
    place = _before_what_belongs_together(spans, wanted)
    if place >= length // 2:
        return place, None
    through = next((span for span in spans if span.start < wanted < span.end), None)
    if through is not None and through.end < length:
        return through.end, None
    behind = max((span.end for span in spans if length // 2 <= span.end <= wanted), default=None)
    if behind is not None:
        return behind, None
    return (wanted, None) if through is None else (0, through)


def _before_what_belongs_together(spans: list[Span], place: int) -> int:
    """The last place up to `place` that no match, nor the name before it, lies across."""
    for span in reversed(spans):
        if span.reach < place < span.end:
            place = span.reach
    return place
