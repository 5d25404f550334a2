"""Mends the end of a journal after a crash or a power cut: what is not a whole line is set aside, never dropped.

A kill in the middle of a write leaves a line without its end. A power cut can leave blocks of zero bytes where data
was on its way, with or without whole lines behind them. The journal keeps the longest prefix of whole lines; the rest
goes to ``events.torn`` behind a note of when and from where.

Never touches a file that somebody else may be writing: the caller holds the writer's lock.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from dataclasses import dataclass

import orjson

from isengard.core.clock import utc_now
from isengard.core.errors import StorageError
from isengard.core.paths import JobPaths
from isengard.journal.append_file import sync_data
from isengard.journal.entry import Entry

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class End:
    """How the journal ends.

    Attributes:
        size: Bytes of whole lines.
        seq: Number of the last one, 0 for an empty journal.
        torn: Bytes behind them that were set aside.
    """

    size: int
    seq: int
    torn: int = 0


def repair(paths: JobPaths, fd: int) -> End:
    """Set what is not a whole line at the end of the open journal `fd` aside and say where it ends now.

    Raises:
        StorageError: The disk refused; nothing was lost.
    """
    size = os.fstat(fd).st_size
    if not size:
        return End(0, 0)
    with mmap.mmap(fd, size, access=mmap.ACCESS_READ) as data:
        good, seq = _whole_lines(data)
    if good == size:
        return End(size, seq)
    try:
        _set_aside(paths, fd, good, size)
        os.ftruncate(fd, good)
        sync_data(fd)
    except OSError as error:
        raise StorageError(f"the torn end of {paths.journal} cannot be set aside: {error.strerror}") from error
    return End(good, seq, size - good)


def _whole_lines(data: mmap.mmap) -> tuple[int, int]:
    """Where the longest prefix of whole lines ends, and the number of its last line."""
    hole = data.find(b"\0")  # no line holds a zero byte: JSON spells it \u0000
    end = data.rfind(b"\n", 0, hole if hole >= 0 else len(data)) + 1
    while end:
        start = data.rfind(b"\n", 0, end - 1) + 1
        try:
            return end, Entry.parse(data[start:end]).seq
        except ValueError:
            end = start
    return 0, 0


def _set_aside(paths: JobPaths, fd: int, start: int, end: int) -> None:
    """Append the bytes to ``events.torn`` after a line that tells of them, and wait until they are on disk.

    What could be written of them on a disk that then refuses is taken back: it is tried again, twice a second.
    """
    torn = os.open(paths.torn, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    before = os.fstat(torn).st_size
    try:
        _copy(fd, torn, start, end)
        sync_data(torn)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(torn, before)
        raise
    finally:
        os.close(torn)


def _copy(fd: int, torn: int, start: int, end: int) -> None:
    note = {"torn_at": utc_now(), "offset": start, "bytes": end - start}
    _write_all(torn, orjson.dumps(note) + b"\n")
    for offset in range(start, end, _PIECE):
        _write_all(torn, os.pread(fd, min(_PIECE, end - offset), offset))
    _write_all(torn, b"\n")


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
