"""Tables that are read on any width: aligned columns, a last column on lines of its own, or records on a phone.

A value is never broken in the middle while there is another way: an id that stands on three lines cannot be copied.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from isengard.cli.terminal import inert_line

_GAP = "  "
_LEAST_LAST = 24
"""Below so many columns the last cell, which says the most, gets a line of its own."""
_EMPTY = ("", "–")

Row = Sequence[str]


def print_table(headings: Row, rows: Iterable[Row]) -> None:
    """Print a table: laid out for the width of the terminal where somebody looks, as aligned columns in a pipe."""
    clean = [[inert_line(cell) for cell in row] for row in rows]
    looked_at = sys.stdout.isatty()
    columns = shutil.get_terminal_size().columns if looked_at else None
    heading, *lines = laid_out(headings, clean, columns)
    bold = looked_at and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    print(f"\x1b[1m{heading}\x1b[0m" if bold else heading)
    for line in lines:
        print(line)


def laid_out(headings: Row, rows: Sequence[Row], columns: int | None) -> Iterator[str]:
    """The lines of the table, its heading first; `columns` is what there is room for, None for any."""
    widths = [max(_width(row[number]) for row in (headings, *rows)) for number in range(len(headings))]
    before = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
    if columns is None or before + min(widths[-1], _LEAST_LAST) <= columns:
        return _table(headings, rows, widths, None if columns is None else columns - before)
    if before - len(_GAP) <= columns:
        return _with_last_below(headings, rows, widths, columns)
    return _records(headings, rows, columns)


def _table(headings: Row, rows: Sequence[Row], widths: Sequence[int], room: int | None) -> Iterator[str]:
    indent = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
    for row in (headings, *rows):
        first, *more = [row[-1]] if room is None else _folded(row[-1], room)
        yield _line((*row[:-1], first), widths)
        yield from (" " * indent + each for each in more)


def _with_last_below(headings: Row, rows: Sequence[Row], widths: Sequence[int], columns: int) -> Iterator[str]:
    yield _line(headings[:-1], widths)
    for row in rows:
        yield _line(row[:-1], widths)
        if row[-1] not in _EMPTY:
            yield from (_GAP + each for each in _folded(row[-1], columns - len(_GAP)))


def _records(headings: Row, rows: Sequence[Row], columns: int) -> Iterator[str]:
    yield headings[0]
    for row in rows:
        yield row[0]
        facts = [f"{name.lower()} {cell}" for name, cell in zip(headings[1:], row[1:], strict=True)]
        said = [fact for fact, cell in zip(facts, row[1:], strict=True) if cell not in _EMPTY]
        yield from (_GAP + each for each in _folded(", ".join(said), columns - len(_GAP)))


def _line(cells: Row, widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=False))
    return _GAP.join(padded).rstrip()


def _folded(text: str, room: int) -> list[str]:
    """`text` on lines of at most `room` columns, broken at spaces where that can be."""
    if _width(text) <= room:
        return [text]
    return textwrap.wrap(text, max(8, room), break_on_hyphens=False) or [""]


def _width(text: str) -> int:
    """How many columns a terminal takes for it: two for a wide character."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)
