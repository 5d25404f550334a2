"""Follows a journal live, from any process: every line once, in order, for as long as the journal exists.

    async for lines in follow(paths, after=118):   # asyncio
    for lines in follow_blocking(paths):           # threads, the command line

The journal, its folder even, may not exist yet. A follower ends when the journal is removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from isengard.core.paths import JobPaths
from isengard.journal.cursor import JournalCursor
from isengard.journal.notify import BlockingWatch, Watch


async def follow(paths: JobPaths, after: int = 0) -> AsyncIterator[list[bytes]]:
    """Yield batches of raw lines (without line feeds) behind line number `after`, then new ones as they come.

    Raises:
        StorageError: The system has no watch left to give.
        OSError: The file cannot be read.
    """
    with JournalCursor(paths, after) as cursor:
        async with Watch(paths.journal) as changes:
            lines = await _read_in_thread(cursor)  # finding the place may take a scan
            while not cursor.gone:
                if lines:
                    yield lines
                else:
                    await changes.wait()
                lines = cursor.read_new()


async def _read_in_thread(cursor: JournalCursor) -> list[bytes]:
    """Read beside the loop; the thread is waited for even when cancelled, for it holds the file."""
    reading = asyncio.ensure_future(asyncio.to_thread(cursor.read_new))
    try:
        return await asyncio.shield(reading)
    finally:
        if not reading.done():
            await asyncio.wait([reading])


def follow_blocking(paths: JobPaths, after: int = 0, *, idle_s: float | None = None) -> Iterator[list[bytes]]:
    """The same for a thread. With `idle_s` an empty batch comes after so many seconds of silence, to look elsewhere."""
    with JournalCursor(paths, after) as cursor, BlockingWatch(paths.journal) as changes:
        while not cursor.gone:
            if lines := cursor.read_new():
                yield lines
            elif not changes.wait(idle_s):
                yield []
