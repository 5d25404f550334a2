"""User rules: regular expressions of the user's own secrets, from the setting ``ISENGARD_REDACT_PATTERNS``.

They are RE2 patterns (https://github.com/google/re2/wiki/Syntax): matched in time linear in the text whatever they say,
which Python's own `re` does not promise, at the price of no look-around and no back-references. They have no literal to
look for first, so with them every text is searched and not only scanned.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from isengard.core.redaction.rules import Segment
from isengard.core.redaction.spans import MARK, Span

_MOST = 100
_LONGEST = 1_000


@dataclass(frozen=True)
class UserPattern:
    """One pattern of the user; its first group is masked, or all of the match if it has none."""

    pattern: Any
    """A compiled ``re2`` pattern."""

    kind = "user-pattern"
    literals: tuple[str, ...] = ()

    def find(self, segment: Segment) -> Iterator[Span]:
        """The matches that are not empty."""
        group = 1 if self.pattern.groups else 0
        for match in self.pattern.finditer(segment.text):
            start, end = match.span(group)
            if 0 <= start < end:
                yield Span(start, end, self.kind, MARK, match.start())


def split_patterns(setting: str) -> list[str]:
    """The patterns in the setting: a JSON list of strings, or else one a line.

    Raises:
        ValueError: It begins like a JSON list and is none of strings.
    """
    if not setting.lstrip().startswith('["'):
        return [line.strip() for line in setting.splitlines() if line.strip()]
    try:
        patterns = json.loads(setting)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no valid JSON list: {error}") from None
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise ValueError("must be a JSON list of strings")
    return list(patterns)


def user_rules(setting: str) -> tuple[UserPattern, ...]:
    """The rules that the setting asks for; none for an empty one.

    Raises:
        ValueError: A pattern is not valid; the message names it and says why.
    """
    patterns = split_patterns(setting)
    if len(patterns) > _MOST:
        raise ValueError(f"holds {len(patterns)} patterns; at most {_MOST} are taken")
    return tuple(UserPattern(_compiled(number, pattern)) for number, pattern in enumerate(patterns, 1))


def _compiled(number: int, pattern: str) -> Any:
    import re2  # noqa: PLC0415 - only who has rules of their own pays for the import

    if len(pattern) > _LONGEST:
        raise ValueError(f"pattern {number} has {len(pattern)} characters; at most {_LONGEST} are taken")
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"pattern {number} is no RE2 expression: {reason}") from None
    if compiled.match(""):
        raise ValueError(f"pattern {number} matches the empty text, so it would mask nothing or everything")
    return compiled
