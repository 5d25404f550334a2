"""The sidecar ``events.idx``: records of a journal's lines on disk, so that nobody has to read all of it to begin.

Layout: 64 bytes of header (magic and version, size of a record, a hash of the journal's first line), then records
without a gap. The writer appends in batches; it may lag behind the journal, and a crash may leave part of a record.

It is a cache and never believed: whoever opens it checks that it belongs to this journal, that its records ascend, and
that lines stand where it says. What does not hold is thrown away and made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import struct
import tempfile
from pathlib import Path

import numpy as np

from isengard.core.errors import StorageError
from isengard.core.paths import JobPaths
from isengard.journal.append_file import sync_folder
from isengard.journal.records import RECORD, Records
from isengard.journal.writer_lock import try_lock

MAGIC = b"ISGIDX\x00\x01"
WORTH_KEEPING = 256
"""Journals with fewer lines get no index file: reading them is as fast."""

_HEADER = struct.Struct("<8sI4x16s32x")
_FIRST_LINE = 1 << 20
_SAMPLES = 3


def identity(fd: int) -> bytes | None:
    """What tells the journal `fd` from others: a hash of its first line; None if it has none yet."""
    head = os.pread(fd, 4096, 0)
    end = head.find(b"\n")
    if end < 0:
        head = os.pread(fd, _FIRST_LINE, 0)
        end = head.find(b"\n")
    return hashlib.blake2b(head[:end], digest_size=16).digest() if end >= 0 else None


def header(journal: bytes) -> bytes:
    """The header of an index of the journal with this identity."""
    return _HEADER.pack(MAGIC, RECORD.itemsize, journal)


def load(paths: JobPaths, fd: int) -> Records | None:
    """The records in the index file of the open journal `fd`; None if there is none or it cannot be believed."""
    try:
        data = paths.index.read_bytes()
    except OSError:
        return None
    count = (len(data) - _HEADER.size) // RECORD.itemsize
    if count <= 0 or data[: _HEADER.size] != header(identity(fd) or b""):
        return None
    records: Records = np.frombuffer(data, RECORD, count, _HEADER.size)
    return records if _holds(records, fd) else None


def _holds(records: Records, fd: int) -> bool:
    """Whether offsets ascend and the last line, which is whole, and a few others stand where they should."""
    offsets = records["offset"]
    if offsets[0] != 0 or not (offsets[1:] > offsets[:-1]).all():
        return False
    count = len(records)
    rows = {count - 1, *(random.randrange(count) for _ in range(_SAMPLES))}  # noqa: S311 - nothing secret hangs on it
    return all(stands_at(fd, row + 1, int(offsets[row])) for row in rows) and line_end(fd, int(offsets[-1])) >= 0


def stands_at(fd: int, seq: int, offset: int) -> bool:
    """Whether the journal's line `seq` begins at `offset`."""
    mark = b'{"seq":%d,' % seq
    if offset == 0:
        return os.pread(fd, len(mark), 0) == mark
    return os.pread(fd, len(mark) + 1, offset - 1) == b"\n" + mark


def line_end(fd: int, offset: int) -> int:
    """Where the line that begins at `offset` ends, line feed included; -1 if it has no end yet."""
    position = offset
    while piece := os.pread(fd, 65536, position):
        found = piece.find(b"\n")
        if found >= 0:
            return position + found + 1
        position += len(piece)
    return -1


def offset_in_file(paths: JobPaths, fd: int, seq: int) -> tuple[int, int]:
    """The nearest line up to number `seq` whose begin the index file knows: (its number, its offset), else (1, 0)."""
    with contextlib.suppress(OSError), paths.index.open("rb") as file:
        count = (os.fstat(file.fileno()).st_size - _HEADER.size) // RECORD.itemsize
        row = min(seq, count) - 1
        if row >= 0 and file.read(_HEADER.size) == header(identity(fd) or b""):
            file.seek(row * RECORD.itemsize, os.SEEK_CUR)
            offset = int(np.frombuffer(file.read(RECORD.itemsize), RECORD)["offset"][0])
            if stands_at(fd, row + 1, offset):
                return row + 1, offset
    return 1, 0


def drop_if_ahead(paths: JobPaths, lines: int) -> None:
    """Remove an index file that knows more than so many lines, before others take the place of those it knows.

    A power cut can keep the index of lines that it cost the journal. A new line begins where the first lost one did and
    has its number, so that nothing would tell any more that the record is not of it. The caller holds the writer's
    lock; raises `StorageError`.
    """
    try:
        if paths.index.stat().st_size >= _HEADER.size + (lines + 1) * RECORD.itemsize:
            paths.index.unlink()
            sync_folder(paths.root)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{paths.index} cannot be removed: {error.strerror}") from error


def replace(paths: JobPaths, fd: int, records: Records) -> None:
    """Put a new index file in place in one step; raises OSError. The caller holds the writer's lock."""
    partial = _write_partial(paths, fd, records)
    try:
        os.replace(partial, paths.index)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def offer(paths: JobPaths, fd: int, records: Records) -> bool:
    """Put a new index file in place unless the journal has a writer, whose business it is; False if nothing was done.

    The writer's lock is held only for the rename.
    """
    try:
        lock = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError:
        return False
    partial: Path | None = None
    try:
        partial = _write_partial(paths, fd, records)
        if not try_lock(lock):
            return False
        os.replace(partial, paths.index)
        partial = None
        return True
    except OSError:  # a full disk, a folder that is read only: the index in memory serves as well
        return False
    finally:
        os.close(lock)
        if partial is not None:
            partial.unlink(missing_ok=True)


def _write_partial(paths: JobPaths, fd: int, records: Records) -> Path:
    handle, name = tempfile.mkstemp(prefix=".events.idx.", dir=paths.root)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(header(identity(fd) or b""))
            file.write(records.tobytes())
    except BaseException:
        os.unlink(name)
        raise
    return Path(name)
