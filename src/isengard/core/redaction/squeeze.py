r"""Squeezing: a text without its line breaks, and the way back from a place in it to the place in the original.

A break is a line feed with the indentation after it, a continuation backslash or the quotes of a split string literal
around it, also where it is escaped (``\n``), and an ANSI code that a terminal put there.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

_BREAK = re.compile(
    r"\x1b\[[0-9;:?]{0,32}[A-Za-z]"
    r"|(?:\\{0,4}[\"'][ \t]{0,64})?\\?(?:\r?\n|(?:\\{1,4}r)?\\{1,4}n)(?:[ \t]{0,256}(?:\r?\n|(?:\\{1,4}r)?\\{1,4}n))*+"
    r"[ \t]{0,256}(?:\\{0,4}[\"'](?=[^\s,:;)\]}]))?"
)


class Squeezed:
    """A text without its breaks.

    Attributes:
        text: What is left.
        breaks: How many breaks were taken out.
    """

    def __init__(self, original: str) -> None:
        self._places: list[int] = []
        self._removed: list[int] = []
        pieces, position, removed = [], 0, 0
        for gap in _BREAK.finditer(original) if _may_break(original) else ():
            pieces.append(original[position : gap.start()])
            self._places.append(gap.start() - removed)
            removed += gap.end() - gap.start()
            self._removed.append(removed)
            position = gap.end()
        self.text = "".join(pieces) + original[position:] if pieces else original
        self.breaks = len(self._places)

    def start(self, place: int) -> int:
        """The original place of the character at `place`: after a break that stands there."""
        index = bisect_right(self._places, place)
        return place + (self._removed[index - 1] if index else 0)

    def end(self, place: int) -> int:
        """The original place of the end at `place`: before a break that stands there."""
        index = bisect_left(self._places, place)
        return place + (self._removed[index - 1] if index else 0)

    def broken(self, start: int, end: int) -> int:
        """The place of the first break strictly between two places, or -1."""
        index = bisect_right(self._places, start)
        return self._places[index] if index < len(self._places) and self._places[index] < end else -1


def _may_break(text: str) -> bool:
    return "\n" in text or "\\" in text or "\x1b" in text
