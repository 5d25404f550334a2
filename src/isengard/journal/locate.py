"""Finds where a line of a journal begins, by the index file where there is one, else by counting line feeds."""

from __future__ import annotations

import os

from isengard.core.paths import JobPaths
from isengard.journal.index_file import offset_in_file

_PIECE = 1 << 20


def offset_after(paths: JobPaths, fd: int, seq: int) -> tuple[int, int]:
    """Where line `seq` of the open journal `fd` ends, as (number, offset); the last whole line if there is no such."""
    if seq <= 0:
        return 0, 0
    number, offset = offset_in_file(paths, fd, seq)
    return _count(fd, number - 1, offset, seq)


def _count(fd: int, number: int, offset: int, seq: int) -> tuple[int, int]:
    """Go on from the end of line `number` at `offset` to that of line `seq`."""
    position = offset
    while number < seq and (data := os.pread(fd, _PIECE, position)):
        feeds = data.count(b"\n")
        if number + feeds < seq:
            number += feeds
            offset = position + data.rfind(b"\n") + 1 if feeds else offset
            position += len(data)
            continue
        found = -1
        for _ in range(seq - number):
            found = data.find(b"\n", found + 1)
        return seq, position + found + 1
    return number, offset
