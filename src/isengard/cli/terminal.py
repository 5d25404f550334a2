"""What the commands print: plain lines, complaints and JSON; tables are in `tables.py`.

Text that came from a training or a user is neutralised before it reaches a terminal: an escape sequence in a log line
must not move the cursor, retitle the window or answer a query in somebody's shell.
"""

from __future__ import annotations

import os
import sys
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


def remark(text: str) -> None:
    """Print `text` to stderr, inert, at once: what a person may see while stdout is read by a program."""
    print(inert(text), file=sys.stderr, flush=True)


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
