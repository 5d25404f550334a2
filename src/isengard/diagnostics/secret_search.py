"""Looks for secrets that lie in the clear in a data folder: what `isengard doctor --secrets` reports.

The same redactor that keeps them out finds them. Says where one is and of what kind, never the secret itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from isengard.core.paths import DataDir
from isengard.core.redaction import Redactor

_BINARY = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".safetensors", ".pt", ".zip", ".idx", ".db", ".db-wal", ".db-shm"}
)
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Spill:
    """A secret found.

    Attributes:
        path: The file.
        line: Number of the line it begins on, from 1; 0 if it is in the file's name.
        kind: What it looks like.
    """

    path: Path
    line: int
    kind: str


def search(data: DataDir, redactor: Redactor, *, report: Callable[[Path], None] | None = None) -> Iterator[Spill]:
    """Every secret in the text files of the data folder; ``secrets/``, where they belong, is left out.

    Args:
        report: Called with each file before it is read.
    """
    for path in _texts(data):
        if report is not None:
            report(path)
        yield from (Spill(path, 0, finding.kind) for finding in redactor.find(path.name))
        yield from _in_file(path, redactor)


def _texts(data: DataDir) -> Iterator[Path]:
    for path in sorted(data.root.rglob("*")):
        inside = path.is_relative_to(data.secrets)
        if not inside and path.is_file() and not path.is_symlink() and path.suffix.lower() not in _BINARY:
            yield path


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
