"""Looks for secrets that lie in the clear in a data folder: what `isengard doctor --secrets` reports.

The same redactor that keeps them out finds them. Says where one is and of what kind, never the secret itself.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from isengard.core.paths import DataDir
from isengard.core.redaction import Redactor
from isengard.core.redaction.images import scrub_image
from isengard.diagnostics.redacted_files import MAX_IMAGE

_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_BINARY = frozenset({".safetensors", ".pt", ".zip", ".idx", ".db-wal", ".db-shm"})
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Spill:
    """A secret found.

    Attributes:
        path: The file.
        line: Number of the line (or of the row) it begins on, from 1; 0 if it is in the file's name or an image.
        kind: What it looks like.
    """

    path: Path
    line: int
    kind: str


def search(data: DataDir, redactor: Redactor, *, report: Callable[[Path], None] | None = None) -> Iterator[Spill]:
    """Every secret in the data folder: in texts, the database, the names of files and the metadata of images.

    ``secrets/``, where they belong, is left out.

    Args:
        report: Called with each file before it is read.
    """
    for path in _files(data):
        if report is not None:
            report(path)
        yield from (Spill(path, 0, finding.kind) for finding in redactor.find(path.name))
        if path.suffix.lower() in _IMAGES:
            yield from _in_image(path, redactor)
        elif path == data.database:
            yield from _in_database(path, redactor)
        else:
            yield from _in_file(path, redactor)


def _files(data: DataDir) -> Iterator[Path]:
    for path in sorted(data.root.rglob("*")):
        inside = path.is_relative_to(data.secrets)
        if not inside and path.is_file() and not path.is_symlink() and path.suffix.lower() not in _BINARY:
            yield path


def _in_image(path: Path, redactor: Redactor) -> Iterator[Spill]:
    try:
        if path.stat().st_size <= MAX_IMAGE:
            data = path.read_bytes()
            if scrub_image(data, redactor) != data:
                yield Spill(path, 0, "image-metadata")
    except OSError:
        return  # as below


def _in_database(path: Path, redactor: Redactor) -> Iterator[Spill]:
    """The texts in the rows; the kind names table and column. What is no database has no rows."""
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as base,
    ):
        tables = [name for (name,) in base.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for table in tables:
            rows = base.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name out of the schema
            columns = [column[0] for column in rows.description]
            for number, row in enumerate(rows, 1):
                for column, value in zip(columns, row, strict=True):
                    for finding in redactor.find(value) if isinstance(value, str) else ():
                        yield Spill(path, number, f"{finding.kind} in {table}.{column}")


def _in_file(path: Path, redactor: Redactor) -> Iterator[Spill]:
    line = 1
    try:
        file = path.open("rb")
    except OSError:
        return  # it vanished, or is not ours to read
    with file:
        while lines := file.readlines(_PIECE):
            text = b"".join(lines).decode("utf-8", "surrogateescape")
            for finding in redactor.find(text):
                yield Spill(path, line + text.count("\n", 0, finding.start), finding.kind)
            line += len(lines)
