"""What a rule is: it finds secrets in one segment of text, and says which literals surely show where it could.

A literal is lower case and must survive JSON escaping, so that one scan of the serialised line tells whether any rule
needs to look at it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from isengard.core.redaction.spans import MARK, Span

_BOUNDARY = re.compile(
    r"\x1b\[[0-9;:?]{0,32}[A-Za-z]"  # an ANSI code
    r"|\\{1,8}(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|033|[nrtbfve])(?:\[[0-9;:?]{0,32}[A-Za-z](?![A-Za-z0-9]{0,2}[/\\]))?"
    r"|%(?:25)?(?!3[Aa]AA)[0-9A-Fa-f]{2}"  # but not the colon in a Telegram token
)


LEFT = (
    r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbfve])|(?<=%[0-9A-Fa-f][0-9A-Fa-f])"
    r"|(?<=\[\dm)|(?<=\[\d\dm)|(?<=;\dm)|(?<=;\d\dm))"
)
"""Where a word begins in the text itself: after an escape, a percent code or a colour as well."""


def _blank(match: re.Match[str]) -> str:
    return " " * (match.end() - match.start())


class Segment:
    """A stretch of text that can be judged by itself.

    Attributes:
        text: The text.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def shadow(self) -> str:
        """The text with ANSI codes and character escapes blanked: same positions, and each of them is a boundary."""
        text = self.text
        if "\\" in text or "%" in text or "\x1b" in text:
            return _BOUNDARY.sub(_blank, text)
        return text


class Rule(Protocol):
    """Finds one family of secrets."""

    @property
    def literals(self) -> tuple[str, ...]:
        """Lower-case texts of which at least one stands in every text that `find` finds something in."""

    def find(self, segment: Segment) -> Iterator[Span]:
        """The secrets in `segment`, in any order; takes time linear in its length."""


@dataclass(frozen=True)
class Shape:
    """A secret known by its shape.

    The pattern's last group is what is masked; what it matches before that stays. No pattern needs anything after an
    unbounded repetition, so a failed attempt costs no more than the characters it fails on.

    Attributes:
        kind: What it is called in findings.
        literals: See `Rule`.
        pattern: Matched against the segment's shadow.
        accept: Judges the masked group further.
    """

    kind: str
    literals: tuple[str, ...]
    pattern: re.Pattern[str]
    accept: Callable[[str], bool] | None = None
    mask: str = MARK

    def find(self, segment: Segment) -> Iterator[Span]:
        """The matches of the pattern whose body is accepted."""
        yield from self._matches(segment.shadow)
        if segment.shadow is not segment.text:  # what looks like an escape may be the end of a path: C:\x\npm_…
            yield from self._matches(segment.text)

    def _matches(self, text: str) -> Iterator[Span]:
        group = self.pattern.groups
        for match in self.pattern.finditer(text):
            start, end = match.span(group)
            if start < end and (self.accept is None or self.accept(match[group])):
                yield Span(start, end, self.kind, self.mask, match.start())
