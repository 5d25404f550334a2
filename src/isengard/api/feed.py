"""Live frames of one job, read once however many clients there are.

    journal ──follow──▶ fold + ring ──▶ client (its position in the ring)
       └───────────────file────────────▶ client that lags (its position in the file)

The feed follows the journal, folds each line into the job's state and keeps the newest frames in a ring. A client asks
for what follows its position; it gets it from the ring, or from the file in bounded pieces until it has caught up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from isengard.api.frames import frame_of
from isengard.api.paced_wakeups import PacedWakeups
from isengard.api.ring import CHUNK_BYTES, Chunk, Ring, chunk_of
from isengard.api.subscribers import Subscriber, Subscribers
from isengard.events.models import EventName
from isengard.journal import Entry, JobFold, JournalCursor, JournalReader
from isengard.journal.follow import follow
from isengard.journal.readers import JournalReaders

_log = logging.getLogger(__name__)


class JobFeed:
    """The journal of one job as live frames.

    Args:
        reader: Of the job's journal.
        subscribers: All open streams of the process; their number sets the pace.

    Attributes:
        fold: The job's state up to `position`.
        ended: Whether the journal cannot be followed any further; clients are to come back.
    """

    def __init__(self, reader: JournalReader, subscribers: Subscribers) -> None:
        self._reader = reader
        self._paths = reader.paths
        self._rounds = PacedWakeups(subscribers)
        self._task: asyncio.Task[None] | None = None
        self._ring = Ring(0)
        self._taken = asyncio.Event()
        self.fold = JobFold()
        self.ended = False

    async def open(self) -> None:
        """Fold what there is and begin to follow."""
        self.fold = await asyncio.to_thread(JobFold.read, self._reader)
        if self.ended:
            return  # whoever wanted it left meanwhile
        self._ring = Ring(self.fold.last_seq)
        self._task = asyncio.create_task(self._run(), name=f"feed-{self._paths.job_id}")

    async def close(self) -> None:
        """Stop following."""
        self.ended = True
        self._rounds.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def job_id(self) -> str:
        """The job it follows."""
        return self._paths.job_id

    @property
    def position(self) -> int:
        """Number of the newest line the feed has taken in."""
        return self._ring.head

    async def has(self, seq: int) -> bool:
        """Whether there is a line `seq`. One that a client has seen elsewhere sooner than the feed is waited for."""
        if seq <= self.position:
            return True
        if seq > await asyncio.to_thread(self._reader.last_seq):
            return False
        while seq > self.position and not self.ended:
            await self._taken.wait()
        return seq <= self.position

    async def wait(self, subscriber: Subscriber) -> bool:
        """Sleep until there is more for `subscriber`, or a sign of life is due: then True."""
        return await self._rounds.wait(subscriber)

    async def after(self, position: int) -> Chunk | None:
        """What follows `position`, about `CHUNK_BYTES` of it at most; None if nothing does yet."""
        if self._ring.holds(position):
            return self._ring.after(position)
        head, terminal = self.position, self.fold.terminal_seq
        return await asyncio.to_thread(self._from_file, position, head, terminal)

    def _from_file(self, position: int, head: int, terminal: int | None) -> Chunk | None:
        with JournalCursor(self._paths, position) as cursor:
            lines = cursor.read_new(CHUNK_BYTES)[: head - position]
        entries = [Entry.read(line, position + number) for number, line in enumerate(lines, 1)]
        return chunk_of([frame_of(entry, terminal) for entry in entries]) if entries else None

    async def _run(self) -> None:
        try:
            async for lines in follow(self._paths, after=self.position):
                self._take(lines)
        except Exception:
            _log.exception("the journal of %s can no longer be followed", self._paths.job_id)
        finally:
            self.ended = True
            self._taken.set()
            self._rounds.wake_all()

    def _take(self, lines: list[bytes]) -> None:
        entries = [Entry.read(line, self.position + number) for number, line in enumerate(lines, 1)]
        self.fold.apply_all(entries)
        if any(entry.event == EventName.JOB_RESUMED for entry in entries):
            self._ring.clear()  # the frame of the terminal line before it says that the stream ends
        self._ring.append([frame_of(entry, self.fold.terminal_seq) for entry in entries])
        self._rounds.announce()
        self._taken.set()
        self._taken = asyncio.Event()


class Feeds:
    """The feeds that somebody watches; one is opened with its first client and closed with its last."""

    def __init__(self, readers: JournalReaders, subscribers: Subscribers) -> None:
        self._readers = readers
        self._subscribers = subscribers
        self._open: dict[str, tuple[JobFeed, asyncio.Task[None]]] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def watch(self, job_id: str) -> AsyncIterator[JobFeed]:
        """The feed of a job, shared by everybody who watches it."""
        feed, opening = self._open.get(job_id) or self._start(job_id)
        self._users[job_id] = self._users.get(job_id, 0) + 1
        try:
            await asyncio.shield(opening)
            yield feed
        finally:
            self._users[job_id] -= 1
            if self._users[job_id] == 0:
                del self._users[job_id], self._open[job_id]
                await feed.close()

    def _start(self, job_id: str) -> tuple[JobFeed, asyncio.Task[None]]:
        feed = JobFeed(self._readers.of(job_id), self._subscribers)
        self._open[job_id] = feed, asyncio.create_task(feed.open(), name=f"open-{job_id}")
        return self._open[job_id]
