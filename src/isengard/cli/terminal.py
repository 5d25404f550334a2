"""What the commands print: plain lines, JSON, or a table where somebody is looking.

Text that came from a training or a user is neutralised before it reaches a terminal: an escape sequence in a log line
must not move the cursor, retitle the window or answer a query in somebody's shell.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from isengard.core.redaction import Redactor

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
# Marks that reorder or hide text ("Trojan source") are as good as control characters to somebody who reads a log.
_CONTROL |= {
    code: f"\\u{code:04x}" for code in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}

_JSON_CONTROL = {code: f"\\u{code:04x}" for code in _CONTROL if code >= 0x20}  # JSON itself escapes those below


def inert(text: str) -> str:
    """`text` with control characters (but not newline and tab) written out as ``\\x1b``."""
    return text.translate(_CONTROL)


def inert_line(text: str) -> str:
    """`inert`, on one line."""
    return inert(text).replace("\n", "\\n").replace("\t", " ")


def say(text: str = "") -> None:
    """Print `text` to stdout, inert, at once."""
    print(inert(text), flush=True)


def complain(text: str) -> None:
    """Print one line about an error to stderr, without a secret that it may repeat."""
    print(f"isengard: {inert_line(_own_redactor().text(text))}", file=sys.stderr, flush=True)


def _own_redactor() -> Redactor:
    """Without the user's own patterns: what is wrong may be the settings."""
    return Redactor.configured(os.environ)


def print_json(value: Any) -> None:
    """Print `value` (dataclasses and moments included) as indented JSON."""
    print(json_text(value, orjson.OPT_INDENT_2), flush=True)


def json_text(value: Any, options: int = 0) -> str:
    """`value` as JSON; what a terminal might act on is escaped in the way of JSON, so it stays the same value."""
    return orjson.dumps(value, default=str, option=options | orjson.OPT_UTC_Z).decode().translate(_JSON_CONTROL)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: with colours and rules where somebody looks, as aligned columns in a pipe."""
    clean = [[inert_line(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich(headings, clean)
        return
    widths = [max(len(row[column]) for row in [list(headings), *clean]) for column in range(len(headings))]
    for row in [list(headings), *clean]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_rich(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text, not markup: a name may hold square brackets
    Console().print(table)
