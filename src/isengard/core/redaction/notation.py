r"""Notation: where a value begins and ends, in the notations in which names and values are written.

Knows quotes (also escaped once, twice, as entities and percent-encoded), line ends and indentation; judges nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

QUOTE = (
    r"(?:\\{0,15}[\"'`]|\\{1,8}u002[27]|&quot;|&apos;|&\#0?39;|&\#x27;|&\#34;|&\#x22;|%2[27]"
    r"|[\u2018-\u201f\u00ab\u00bb\u2039\u203a\u300c-\u300f\uff02\uff07]|\\{1,8}u(?:201[89a-fA-F]|00[abAB][bB]|300[c-fC-F]))"
)
"""A quotation mark in any spelling."""

BLANK = r"[ \t\u00a0\u2000-\u200d\u202f\u2060\u3000\ufeff]"
"""What shows as a gap, or not at all: also the spaces of typesetters and what has no width."""

_CLOSED_BY = {
    "\u2018": "\u2019\u2018", "\u2019": "\u2019", "\u201a": "\u2018\u2019", "\u201b": "\u2019",
    "\u201c": "\u201d\u201c", "\u201d": "\u201d", "\u201e": "\u201c\u201d", "\u201f": "\u201d",
    "\u00ab": "\u00bb", "\u00bb": "\u00ab\u00bb", "\u2039": "\u203a", "\u203a": "\u2039\u203a",
    "\u300c": "\u300d", "\u300e": "\u300f",
}  # fmt: skip
"""The typographic quotes and what closes them in some language."""

_OPENING = re.compile(
    rf"(?:[bBrRuUfF]{{1,2}}(?=[\\\"']))?"
    rf"(?:(?P<triple>(?P<one>\\{{0,7}}[\"'])(?P=one){{2}}(?!(?P=one))\s{{0,64}})|(?P<quote>{QUOTE}))"
)
_UNQUOTED = re.compile(
    r"\$?\{\{[^{}\n]{0,200}\}\}|(?:[^\s&\"'`\\<\x00-\x1f]"
    r"|<(?!/)"
    r"|&(?=(?:lt|gt);)"
    r"|\\(?!\\{0,15}(?:[\"'`]|[rt](?![a-z])|n|u00[012]|x1b|x0a))"
    r"|[\"'`](?=[^\s,;)\]}:>\\&|.]))+"
)
_ENCODED = re.compile(r"(?:[^\s&\"'`\\<>%\x00-\x1f]|%(?!26|22|27|0[AaDd]|7[Dd]|2[Cc]))+")
FIRST_LOOK = 512
"""Characters of an unquoted value that are read before it is judged: many names in one long word cost no more."""

_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_LONGEST_NAME = 96
_LONGEST_STRING = 4_096
_ENDS = "\u201c\u201d\u2019\u00bb\u300d\u300f"
_PUNCTUATION = ",;.:" + _ENDS
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_TRAILING = "!?)]}" + _PUNCTUATION
_BLOCK_HEADER = re.compile(r"[|>][+-]?\d?[+-]?[ \t]{0,16}(?:#[^\n]{0,200})?\r?\n")


@dataclass(frozen=True, slots=True)
class Value:
    """Where a value stands, without its quotes."""

    start: int
    end: int
    quoted: bool


def end_of_line(text: str, position: int) -> int:
    """Where the line that holds `position` ends, before its line break."""
    end = text.find("\n", position)
    end = len(text) if end < 0 else end
    return end - 1 if end > position and text[end - 1] == "\r" else end


def start_of_line(text: str, position: int) -> int:
    """Where the line that holds `position` starts."""
    return text.rfind("\n", 0, position) + 1


def indent_of(line: str) -> int:
    """How far a line is indented; a YAML dash counts as indentation."""
    return len(line) - len(line.lstrip(" \t-"))


def name_start(text: str, end: int) -> int:
    """Where the name begins whose last word begins at `end`."""
    before = text[max(0, end - _LONGEST_NAME) : end]
    return end - (len(before) - len(before.rstrip(_NAME_CHARACTERS)))


def value_at(text: str, position: int) -> Value | None:
    """The value that begins at `position`: up to its closing quote, or else up to white space or ``&``."""
    opening = _OPENING.match(text, position)
    if opening and opening["triple"]:
        end = text.find(opening["one"] * 3, opening.end(), opening.end() + _LONGEST_STRING)
        return Value(opening.end(), end if end >= 0 else end_of_line(text, opening.end()), quoted=True)
    if opening:
        return Value(opening.end(), _closing(text, opening.end(), opening["quote"]), quoted=True)
    unquoted = _UNQUOTED.match(text, position, position + FIRST_LOOK)
    if unquoted is None:
        return None
    end = position + len(_without_trailing(unquoted[0]))
    return Value(position, end, quoted=False) if end > position else None


def whole(text: str, value: Value) -> Value:
    """`value` to its very end; a long unquoted one is first seen by its beginning, which is enough to judge it."""
    if value.quoted or value.end - value.start < FIRST_LOOK // 2:
        return value
    unquoted = _UNQUOTED.match(text, value.start)
    end = value.start + len(_without_trailing(unquoted[0])) if unquoted else value.end
    return Value(value.start, max(value.end, end), quoted=False)


def encoded_value_at(text: str, position: int) -> Value | None:
    """The value that begins at `position` in percent-encoded text, where ``%26`` ends it as ``&`` does."""
    opening = _OPENING.match(text, position)
    if opening:
        return value_at(text, position)
    encoded = _ENCODED.match(text, position)
    return Value(position, encoded.end(), quoted=False) if encoded else None


def _without_trailing(value: str) -> str:
    """`value` without the punctuation of the sentence or structure around it; brackets it opens itself stay closed."""
    stripped = value.rstrip(_TRAILING)
    if stripped == value or not any(bracket in stripped for bracket in "{[("):
        return stripped
    end = len(value)
    while end and (value[end - 1] in _PUNCTUATION or _closes_nothing(value[:end])):
        end -= 1
    return value[:end]


def _closes_nothing(value: str) -> bool:
    """Whether `value` ends with a bracket that was opened before it."""
    opening = _BRACKETS.get(value[-1])
    return opening is not None and value.count(value[-1]) > value.count(opening)


def _closing(text: str, position: int, quote: str) -> int:
    """Where the string opened by `quote` ends; at the end of the line if it is not closed there."""
    limit = end_of_line(text, position)
    if quote[-1] in "\"'`":
        return _closing_at_level(text, position, limit, quote)
    ends = [end for mark in _closing_marks(quote) if (end := text.find(mark, position, limit)) >= 0]
    return min(ends, default=limit)


def _closing_marks(quote: str) -> list[str]:
    """What closes `quote` where it is no plain quotation mark; a typographic one may be escaped."""
    if len(quote) > 1 and quote[-5:-4] == "u":
        pairs = _CLOSED_BY.get(chr(int(quote[-4:], 16)))
        return [f"{quote[:-4]}{ord(mark):04x}" for mark in pairs] if pairs else [quote]
    return list(_CLOSED_BY.get(quote, quote)) if len(quote) == 1 else [quote]


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


def scalar_at(text: str, start: int) -> Value:
    """The plain YAML scalar that begins at `start`: the rest of its line but a comment."""
    end = end_of_line(text, start)
    comment = text.find(" #", start, end)
    return Value(start, start + len(text[start : end if comment < 0 else comment].rstrip()), quoted=False)


def block_at(text: str, start: int, indent: int) -> Value | None:
    """The lines of the YAML block scalar whose header is at `start`: those indented deeper than `indent`."""
    header = _BLOCK_HEADER.match(text, start)
    if header is None:
        return None
    first, end, position = -1, header.end(), header.end()
    while position < len(text):
        line_end = text.find("\n", position)
        line_end = len(text) if line_end < 0 else line_end
        line = text[position:line_end]
        depth = len(line) - len(line.lstrip(" \t"))
        if line.strip():
            if depth <= indent:
                break
            first = position + depth if first < 0 else first
            end = position + len(line.rstrip())
        position = line_end + 1
    return Value(first, end, quoted=False) if first >= 0 else None
