r"""Views: a text with something taken out or made plain, and the way back from a place in it to the original.

A secret may be broken by a line feed, coloured half-way, or written with ``\n`` for its line breaks. Rules look at such
a view as at any text; a view says where in the original a span of it stands.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable

COLOUR = re.compile(r"(?:\x1b|\\{1,8}(?:u001[bB]|x1[bB]|033|e))\[[0-9;:?]{0,32}[A-Za-z]")
"""An ANSI code, also where the escape character itself is escaped."""

ESCAPED_LINE = re.compile(r"(?:\\{1,48}r)?(\\{1,48})n")
"""A line feed written as ``\\n``, however often it was escaped."""

LINE_BREAK = re.compile(r"\r?\n|(?:\\{1,4}r)?\\{1,4}n")
"""A line break, real or escaped."""

INDENTED_BREAK = re.compile(r"(?:\\?\r?\n|(?:\\{1,4}r)?\\{1,4}n)[ \t]{0,256}")
"""A line break with what continues a line: a backslash before it, indentation after it."""

FILLING = re.compile(r"(?:=(?=\r?\n)|(?:\\{1,4}r)?\\{1,4}n|[\s\"'\\+]){1,512}")
"""Everything that may stand between the parts of a broken text: white space, quotes, backslashes, a plus sign."""


_CODE = re.compile(
    r"%(?:25){0,2}([2-7][0-9A-Fa-f])|\\{1,8}(?:u00([2-7][0-9a-fA-F])|x([2-7][0-9a-fA-F])|(/))"
    r"|&(?:#x([2-7][0-9a-fA-F])|#(\d{2,3})|(amp));"
)
CODES = (
    *("%25", "&#", "&amp;", r"\/"),
    *(f"{code}{mark}" for code in ("%", r"\u00", r"\x") for mark in ("3d", "3a", "2f", "26")),
)
"""What shows in a text that may have to be decoded before a rule sees anything; lower case, JSON leaves it whole."""

_KEPT = frozenset("\"'\\`")
"""Quotes stay as they are written: `notation` knows them, and by their escaping which one closes which."""


class View:
    """A text in which every match of a pattern is replaced.

    Args:
        original: The text.
        pattern: What is replaced.
        replacement: By what; nothing unless given.

    Attributes:
        text: The result.
        changes: How many places were replaced.
    """

    def __init__(
        self, original: str, pattern: re.Pattern[str], replacement: Callable[[re.Match[str]], str] | None = None
    ) -> None:
        self._places: list[int] = []  # where in the result each replacement ends
        self._shifts: list[int] = []  # how much is to be added from there on
        self._sizes: list[int] = []
        pieces: list[str] = []
        position = length = 0
        for match in pattern.finditer(original):
            new = replacement(match) if replacement else ""
            length += match.start() - position + len(new)
            pieces += (original[position : match.start()], new)
            position = match.end()
            self._places.append(length)
            self._shifts.append(position - length)
            self._sizes.append(len(new))
        self.text = "".join(pieces) + original[position:] if pieces else original
        self.changes = len(pieces) // 2

    def start(self, place: int) -> int:
        """The original place of the character at `place`: after a replacement that ends there."""
        index = bisect_right(self._places, place)
        return place + (self._shifts[index - 1] if index else 0)

    def end(self, place: int) -> int:
        """The original place of the end at `place`: before a replacement that stands there."""
        index = bisect_left(self._places, place)
        return place + (self._shifts[index - 1] if index else 0)

    def change_within(self, start: int, end: int) -> int:
        """Where the first replacement strictly between two places begins, or -1."""
        index = bisect_right(self._places, start)
        if index >= len(self._places):
            return -1
        place = self._places[index] - self._sizes[index]
        return place if start < place < end else -1


def uncoloured(text: str) -> View | None:
    """`text` without ANSI codes; None if it has none."""
    return _changed(View(text, COLOUR)) if "[" in text else None


def with_real_lines(text: str) -> View | None:
    r"""`text` with ``\n`` made a line feed; None if it has none."""
    return _changed(View(text, ESCAPED_LINE, _line_feed)) if "\\" in text else None


def decoded(text: str) -> View | None:
    """`text` with percent codes, ``\\u003d``, ``\\/`` and numeric entities read; None if it has none."""
    if "%" in text or "\\" in text or "&" in text:
        return _changed(View(text, _CODE, _character))
    return None


def _character(match: re.Match[str]) -> str:
    percent, unicode, byte, slash, hexadecimal, decimal, ampersand = match.groups()
    code = percent or unicode or byte or hexadecimal
    character = chr(int(code, 16)) if code else slash or (ampersand and "&") or chr(int(decimal))
    return match[0] if character in _KEPT or not " " <= character <= "~" else character


def _line_feed(match: re.Match[str]) -> str:
    """A line feed; with the backslash that continues a line where there were three times the backslashes it takes."""
    return "\\\n" if len(match[1]) % 3 == 0 else "\n"


def _changed(view: View) -> View | None:
    return view if view.changes else None
