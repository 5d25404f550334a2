"""Remembers how far somebody who carries journals elsewhere has come in one of them, through restarts and kills.

A small file beside the journal, ``{name}.position``, replaced as a whole. It goes when the job is deleted. Whoever
writes it does so after the far side has confirmed, so a kill in between repeats a batch and never skips one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec

from isengard.core.paths import JobPaths

_TAIL_BYTES = 256


class Position(msgspec.Struct, frozen=True):
    """A place in a journal.

    Attributes:
        seq: Number of the last line that was carried; 0 for none.
        offset: Where that line ends in the file, in bytes.
        over: Whether that line ended the job.
        state: What else the carrier has to know to go on there, JSON.
        tail: Fingerprint of the bytes before `offset`: a power cut can put other lines in the place of those that were
            carried.
        safe: Number of a line that had been written long enough to outlive a power cut; 0 for none.
    """

    seq: int = 0
    offset: int = 0
    over: bool = False
    state: dict[str, Any] = {}
    tail: str = ""
    safe: int = 0


class PositionFile:
    """Keeps the position of the carrier `name` in one job's journal."""

    def __init__(self, paths: JobPaths, name: str) -> None:
        self._path = paths.position(name)

    def load(self) -> Position:
        """The position; the beginning if there is none, or one that cannot be read."""
        try:
            return _decode(self._path.read_bytes())
        except (OSError, msgspec.MsgspecError):
            return Position()

    def save(self, position: Position) -> None:
        """Replace it. Raises OSError; one whose job was deleted meanwhile is dropped."""
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            partial.write_bytes(msgspec.json.encode(position))
            os.replace(partial, self._path)
        except FileNotFoundError:
            return
        except OSError:
            with contextlib.suppress(OSError):
                Path(partial).unlink(missing_ok=True)
            raise


def fingerprint(fd: int, offset: int) -> str:
    """Of the last bytes before `offset` of an open journal; raises OSError."""
    start = max(0, offset - _TAIL_BYTES)
    return hashlib.blake2b(os.pread(fd, offset - start, start), digest_size=8).hexdigest()


_decode = msgspec.json.Decoder(Position).decode
