r"""Notation: where the value after a name begins and ends, in the notations in which names and values are written.

Knows quotes (also escaped once, twice, as entities and percent-encoded), separators and line ends; judges nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

QUOTE = r"(?:\\{0,15}[\"'`]|\\{1,8}u002[27]|&quot;|&apos;|&\#0?39;|&\#x27;|&\#34;|&\#x22;|%2[27])"

_QUOTE = re.compile(QUOTE)
_OPENING = re.compile(rf"(?:[bBrRuUfF]{{1,2}}(?=[\\\"']))?({QUOTE})")
_UNQUOTED = re.compile(
    r"(?:[^\s&\"'`\\<%\x00-\x1f]"
    r"|<(?!/)|%(?!26|22|27|0[AaDd])|&(?=\#?\w{1,6};(?<!&quot;))(?!quot;|apos;|\#0?39;|\#x27;|\#34;|amp;)"
    r"|\\(?!\\{0,15}(?:[\"'`]|[nrt](?![a-z])|n|u00[012]|x1b|x0a))"
    r"|[\"'`](?=[^\s,;)\]}:>\\&|]))+"
)
_TRAILING = ",;)]}.:!?"


@dataclass(frozen=True, slots=True)
class Value:
    """Where a value stands, without its quotes."""

    start: int
    end: int
    quoted: bool


def end_of_line(text: str, position: int) -> int:
    """Where the line that holds `position` ends, before its line feed."""
    end = text.find("\n", position)
    end = len(text) if end < 0 else end
    return end - 1 if end > position and text[end - 1] == "\r" else end


def value_at(text: str, position: int) -> Value | None:
    """The value that begins at `position`: up to its closing quote, or else up to white space or ``&``."""
    opening = _OPENING.match(text, position)
    if opening:
        return Value(opening.end(), _closing(text, opening.end(), opening[1]), quoted=True)
    unquoted = _UNQUOTED.match(text, position)
    if unquoted is None:
        return None
    end = position + len(_without_trailing(unquoted[0]))
    return Value(position, end, quoted=False) if end > position else None


def _without_trailing(value: str) -> str:
    """`value` without punctuation that belongs to the sentence or structure around it: no bracket it opens itself."""
    stripped = value.rstrip(_TRAILING)
    if stripped != value and any(bracket in stripped for bracket in "{[("):
        return value.rstrip(",;.:")
    return stripped


def _closing(text: str, position: int, quote: str) -> int:
    """Where the string opened by `quote` ends; at the end of the line if it is not closed there."""
    limit = end_of_line(text, position)
    if quote[-1] not in "\"'`":
        end = text.find(quote, position, limit)
        return limit if end < 0 else end
    return _closing_at_level(text, position, limit, quote)


def _closing_at_level(text: str, position: int, limit: int, quote: str) -> int:
    """A quote behind 2ᵈ−1 backslashes (d levels of escaping) is closed by the next one that says the same."""
    level, mark = len(quote) - 1, quote[-1]
    modulus = 2 * (level + 1)
    end = text.find(mark, position, limit)
    while end >= 0:
        before = text[max(position, end - 32) : end]
        backslashes = len(before) - len(before.rstrip("\\"))
        if backslashes < level or backslashes % modulus == level:
            return end - min(backslashes, level)
        end = text.find(mark, end + 1, limit)
    return limit
