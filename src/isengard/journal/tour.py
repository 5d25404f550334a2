"""Goes from journal to journal of a data folder, again and again, wherever there are lines its owner has not had.

    tour = Tour(data, "otlp-logs")
    async for _ in tour.rounds():                # at once, then whenever a journal has grown
        for visit in tour.visits():              # the journals with new lines
            entries = visit.read()
            ...                                  # carry them
            visit.advance(len(entries))          # confirmed: remembered beside the journal

Woken by the file system. A job that is over is looked at again when some job is queued (a resumption queues it), and
now and then. Carries nothing itself and never writes to a journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from isengard.core.errors import NotFound, StorageError
from isengard.core.paths import DataDir, JobPaths
from isengard.events.models import TERMINAL_EVENTS
from isengard.journal.cursor import JournalCursor
from isengard.journal.entry import Entry
from isengard.journal.locate import offset_after
from isengard.journal.notify import Watch
from isengard.journal.positions import Position, PositionFile, fingerprint
from isengard.journal.reader import JournalReader

RECHECK_S = 30.0
"""How often jobs that are over are looked at again without a cause."""
_SAFE_AFTER_S = 10.0
"""By then a line is on the disk many times over (`SYNC_INTERVAL_S` is 1)."""


class Visit:
    """One journal with one carrier's place in it.

    Args:
        clock: Seconds that never go back.

    Attributes:
        position: Where the carrier stands; what was read and not confirmed lies behind it.
    """

    def __init__(self, paths: JobPaths, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.paths = paths
        self._file = PositionFile(paths, name)
        self.position = self._file.load()
        self._read: list[bytes] = []
        self._ends: list[bool] = []
        self._is_checked = False
        self._clock = clock
        self._noted, self._noted_at = self.position.seq, clock()

    @property
    def job_id(self) -> str:
        """The job."""
        return self.paths.job_id

    def has_news(self) -> bool:
        """Whether the journal has grown behind the position.

        One that a power cut shortened is gone back in, to a line that was safe: what came behind it may have been
        carried, and lost, and others may have taken its place.
        """
        try:
            size = self.paths.journal.stat().st_size
            if size < self.position.offset or not self._stands():
                self._go_back()
        except OSError:
            return False
        return size > self.position.offset

    def refresh(self) -> int:
        """Look where the carrier stands by now, if that is another process; returns the bytes behind it."""
        self.position = self._file.load()
        try:
            return max(0, self.paths.journal.stat().st_size - self.position.offset)
        except OSError:
            return 0

    def read(self, max_bytes: int = 256 * 1024) -> list[Entry]:
        """The next lines behind the position, about so many bytes of them; raises OSError."""
        with JournalCursor(self.paths, self.position.seq) as cursor:
            self._read = cursor.read_new(max_bytes)
        entries = [Entry.read(line, number) for number, line in enumerate(self._read, self.position.seq + 1)]
        self._ends = [entry.event in TERMINAL_EVENTS for entry in entries]
        return entries

    def advance(self, count: int, state: dict[str, Any] | None = None) -> None:
        """The first `count` of the lines that were read are carried; raises OSError.

        Args:
            state: What is to be remembered with the place; what was remembered before if left out.
        """
        offset = self.position.offset + sum(len(line) + 1 for line in self._read[:count])
        self.position = Position(
            seq=self.position.seq + count,
            offset=offset,
            over=self._ends[count - 1] if count else self.position.over,
            state=self.position.state if state is None else state,
            tail=self._fingerprint(offset),
            safe=self._safe(self.position.seq + count),
        )
        self._read, self._ends = self._read[count:], self._ends[count:]
        self._file.save(self.position)

    def _safe(self, seq: int) -> int:
        """The newest line that was carried long enough ago to be on the disk by now; `seq` will be one later."""
        safe, now = self.position.safe, self._clock()
        if now - self._noted_at >= _SAFE_AFTER_S:
            safe, self._noted, self._noted_at = self._noted, seq, now
        return safe

    def _stands(self) -> bool:
        """Whether the last line that was carried is still there; looked at once, for nobody outlives a power cut."""
        if self._is_checked or not self.position.tail:
            return True
        self._is_checked = True
        return self._fingerprint(self.position.offset) == self.position.tail

    def _fingerprint(self, offset: int) -> str:
        try:
            with self.paths.journal.open("rb") as file:
                return fingerprint(file.fileno(), offset)
        except FileNotFoundError:
            return ""

    def _go_back(self) -> None:
        last = min(self.position.safe, JournalReader(self.paths).last_seq())
        with self.paths.journal.open("rb") as file:
            seq, offset = offset_after(self.paths, file.fileno(), last)
            tail = fingerprint(file.fileno(), offset)
        self.position = Position(seq, offset, state=self.position.state, tail=tail, safe=seq)
        self._noted, self._noted_at = seq, self._clock()
        self._file.save(self.position)


class Tour:
    """The journals of a data folder as one carrier sees them.

    Args:
        name: The carrier's; its positions are called so.
    """

    def __init__(self, data: DataDir, name: str) -> None:
        self._data = data
        self._name = name
        self._visits: dict[str, Visit] = {}
        self._checked_at = -RECHECK_S
        self._woken_at = 0
        self._watch: Watch | None = None

    def visits(self) -> list[Visit]:
        """The journals that have lines behind the carrier's position."""
        return [each for each in self.candidates() if each.has_news()]

    def candidates(self) -> list[Visit]:
        """The journals that may have such lines: all that go on, and now and then those that are over."""
        self._meet()
        everything = self._is_time_for_all()
        return [each for each in self._visits.values() if everything or not each.position.over]

    async def rounds(self) -> AsyncIterator[None]:
        """Yield at once, and then whenever there may be news."""
        while True:
            places = self._places()
            try:
                async with Watch(*places) as self._watch:
                    while places == self._places():
                        yield
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._watch.wait(), RECHECK_S)
            except StorageError:  # no watch left to give
                yield
                await asyncio.sleep(1)
            finally:
                self._watch = None

    def nudge(self) -> None:
        """Have `rounds` yield once more; from its own loop."""
        if self._watch is not None:
            self._watch.wake()

    def _places(self) -> frozenset[Path]:
        """What to watch: the folder of jobs, the bell that a queued job rings, and every journal that still grows."""
        self._meet()
        growing = (visit.paths.journal for visit in self._visits.values() if not visit.position.over)
        return frozenset((self._data.jobs, self._data.wake, *growing))

    def _meet(self) -> None:
        """Get to know new jobs and forget those that are gone."""
        present = self._job_ids()
        for gone in self._visits.keys() - present:
            del self._visits[gone]
        for job_id in sorted(present - self._visits.keys()):
            with contextlib.suppress(NotFound):
                self._visits[job_id] = Visit(self._data.job(job_id), self._name)

    def _job_ids(self) -> set[str]:
        try:
            return {name for name in os.listdir(self._data.jobs) if not name.startswith(".")}
        except FileNotFoundError:
            return set()

    def _is_time_for_all(self) -> bool:
        woken_at = 0
        with contextlib.suppress(OSError):
            woken_at = self._data.wake.stat().st_mtime_ns
        now = time.monotonic()
        if woken_at == self._woken_at and now - self._checked_at < RECHECK_S:
            return False
        self._woken_at, self._checked_at = woken_at, now
        return True
