"""The engine: prefilter and rules together, over one segment of text that can be judged by itself.

It knows nothing of lines, streams or nested values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from isengard.core.redaction.known import KnownValues
from isengard.core.redaction.prefilter import Prefilter
from isengard.core.redaction.rules import Rule, Segment, Shape
from isengard.core.redaction.spans import Span, cut, merge
from isengard.core.redaction.views import CODES, View, decoded, uncoloured, with_real_lines

ROUNDS = 6
"""Masking may bring a new match about (a boundary appears); after this many rounds the text is taken as it is."""


class Engine:
    """Finds and masks the secrets of one segment.

    Args:
        rules: What to look for; a rule without literals looks at every text.
        known: The known values, if there are any.

    Attributes:
        is_clean: Whether one scan shows that no rule can find anything in a text.
        is_clean_line: The same for a serialised line.
    """

    def __init__(self, rules: Sequence[Rule], known: KnownValues | None) -> None:
        self.known = known
        self._rules: tuple[Rule, ...] = (*rules, known) if known else tuple(rules)
        self._always = frozenset(index for index, rule in enumerate(self._rules) if not rule.literals)
        self._prefilter = Prefilter([rule.literals for rule in self._rules], besides=CODES)
        self.is_clean_line: Callable[[bytes], bool] = self._prefilter.misses_bytes if not self._always else _never
        self.is_clean: Callable[[str], bool] = self._prefilter.misses_text if not self._always else _never

    def spans(self, segment: str) -> list[Span]:
        """What to mask in `segment`, in order."""
        found = chain(
            self._found(segment),
            self._found_in(uncoloured(segment)),
            self._found_in(decoded(segment)),
            self._found_over_lines(segment),
        )
        return [_beside_escapes(segment, span) for span in merge(found)]

    def _found(self, text: str) -> Iterator[Span]:
        seen = Segment(text)
        for index in sorted(self._always.union(self._prefilter.rules_for(text))):
            yield from self._rules[index].find(seen)

    def _found_in(self, view: View | None) -> Iterator[Span]:
        if view:
            for span in self._found(view.text):
                yield _in_original(span, view)

    def _found_over_lines(self, text: str) -> Iterator[Span]:
        """What only shows when an escaped line feed is taken for a real one: YAML, netrc and commands in a string."""
        view = with_real_lines(text)
        if view:
            for span in self._found(view.text):
                if view.change_within(span.reach, span.end) >= 0:
                    yield _in_original(span, view)

    def mask(self, segment: str) -> str:
        """`segment` with its secrets masked; the same object if there are none."""
        if self.is_clean(segment):
            return segment
        for _ in range(ROUNDS):
            masked = cut(segment, self.spans(segment))
            if masked == segment:
                break
            segment = masked
        return segment

    def begins_token(self, word: str) -> bool:
        """Whether `word` holds the beginning of some vendor's token."""
        return any(isinstance(self._rules[index], Shape) for index in self._prefilter.rules_for(word))


def _never(_text: str | bytes) -> bool:
    """Rules without literals have to look at everything."""
    return False


def _beside_escapes(text: str, span: Span) -> Span:
    """`span` with its end before a run of backslashes it would cut in two: what is left has to stay an escape."""
    if text[span.end : span.end + 1] != "\\" or text[span.end - 1] != "\\":
        return span
    end = span.start + len(text[span.start : span.end].rstrip("\\"))
    return Span(span.start, max(end, span.start), span.kind, span.mask, span.context)


def _in_original(span: Span, view: View) -> Span:
    return Span(view.start(span.start), view.end(span.end), span.kind, span.mask, view.start(span.reach))
