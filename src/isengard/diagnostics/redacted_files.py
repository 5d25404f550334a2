"""Reads files for others to see: every byte goes through the redactor, one piece in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson
from PIL import Image

from isengard.core.redaction import Redactor
from isengard.core.redaction.images import scrub_image

_PIECE = 64 * 1024
MAX_IMAGE = 32 * 1024 * 1024
"""A larger image file is left out: its metadata is looked at in memory."""


def text(path: Path, redactor: Redactor) -> Iterator[bytes]:
    """A text file of any kind."""
    stream = redactor.stream()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield stream.feed(piece)
    yield stream.flush()


def json_lines(path: Path, redactor: Redactor) -> Iterator[bytes]:
    """A file of JSON lines, which stay JSON: values are redacted, not their notation."""
    with path.open("rb") as file:
        while lines := file.readlines(_PIECE):
            yield clean_lines(lines, redactor)


def clean_lines(lines: Iterable[bytes], redactor: Redactor) -> bytes:
    """JSON lines with their secrets masked. What is clean, nearly always all of it, comes back as it is."""
    lines = list(lines)
    whole = b"".join(lines)
    shown = whole.decode("utf-8", "surrogateescape")
    return whole if redactor.text(shown) is shown else b"".join(_clean_line(line, redactor) for line in lines)


def _clean_line(line: bytes, redactor: Redactor) -> bytes:
    shown = line.decode("utf-8", "surrogateescape")
    if redactor.text(shown) is shown:
        return line
    try:
        return redactor.dumps(orjson.loads(line))
    except orjson.JSONDecodeError:
        return redactor.text(shown).encode("utf-8", "surrogateescape")


def is_image(path: Path) -> bool:
    """Whether `path` begins as an image does; what does not cannot be searched as one."""
    try:
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")):
            return True
    except (OSError, ValueError, SyntaxError):
        return False


def image(path: Path, redactor: Redactor) -> Iterator[bytes]:
    """An image file without secrets in its metadata."""
    yield scrub_image(path.read_bytes(), redactor)
