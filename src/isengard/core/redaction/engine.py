"""The engine: prefilter and rules together, over one segment of text that can be judged by itself.

It knows nothing of lines, streams or nested values.
"""

from __future__ import annotations

from collections.abc import Sequence

from isengard.core.redaction.known import KnownValues
from isengard.core.redaction.prefilter import Prefilter
from isengard.core.redaction.rules import Rule, Segment, Shape
from isengard.core.redaction.spans import Span, cut, merge

_SHORTEST = 5
"""No secret with its prefix or name is shorter."""

_ROUNDS = 6
"""Masking may bring a new match about (a boundary appears); after this many rounds the text is taken as it is."""


class Engine:
    """Finds and masks the secrets of one segment.

    Args:
        rules: What to look for; a rule without literals looks at every text.
        known: The known values, if there are any.
    """

    def __init__(self, rules: Sequence[Rule], known: KnownValues | None) -> None:
        self.known = known
        self._rules: tuple[Rule, ...] = (*rules, known) if known else tuple(rules)
        self._always = frozenset(index for index, rule in enumerate(self._rules) if not rule.literals)
        self._prefilter = Prefilter([rule.literals for rule in self._rules])

    def is_clean(self, text: str) -> bool:
        """Whether one scan shows that no rule can find anything in `text`."""
        return not self._always and (len(text) < _SHORTEST or not self._prefilter.hits(text))

    def is_clean_line(self, line: bytes) -> bool:
        """`is_clean` for a serialised line."""
        return not self._always and not self._prefilter.hits_bytes(line)

    def spans(self, segment: str) -> list[Span]:
        """What to mask in `segment`, in order."""
        seen = Segment(segment)
        indices = self._always.union(self._prefilter.rules_for(segment))
        return merge(span for index in sorted(indices) for span in self._rules[index].find(seen))

    def mask(self, segment: str) -> str:
        """`segment` with its secrets masked; the same object if there are none."""
        if self.is_clean(segment):
            return segment
        for _ in range(_ROUNDS):
            masked = cut(segment, self.spans(segment))
            if masked == segment:
                break
            segment = masked
        return segment

    def begins_token(self, word: str) -> bool:
        """Whether `word` holds the beginning of some vendor's token."""
        return any(isinstance(self._rules[index], Shape) for index in self._prefilter.rules_for(word))
