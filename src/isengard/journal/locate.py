"""Finds where a line begins in the journal."""

from __future__ import annotations

import os

from isengard.core.paths import JobPaths

_PIECE = 1 << 20


def offset_after(paths: JobPaths, fd: int, seq: int) -> tuple[int, int]:
    """Where line `seq` of the open journal `fd` ends, as (number, offset); the last whole line if there is no such."""
    return _count(fd, 0, 0, seq)


def _count(fd: int, number: int, offset: int, seq: int) -> tuple[int, int]:
    """Go on from the end of line `number` at `offset` to that of line `seq`."""
    position = offset
    while number < seq:
        data = os.pread(fd, _PIECE, position)
        if not data:
            break
        lines = data.count(b"\n")
        if number + lines < seq:
            number += lines
            if lines:
                offset = position + data.rfind(b"\n") + 1
            position += len(data)
            continue
        found = -1
        while number < seq:
            found = data.find(b"\n", found + 1)
            number += 1
        offset = position + found + 1
    return number, offset
