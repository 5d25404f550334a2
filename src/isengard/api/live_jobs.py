"""The board: the state of every job that is not over, kept up to date for the lists that show it.

Holds states, not events. Each change of a job gets the next number of one counter, so a client that has everything up
to a number is brought up to date by the jobs with a higher one, each in its newest state only. What a slow client costs
is therefore bounded by the number of jobs, and a client that comes back needs no history.

A job is followed in its journal while it is active. A change of its status, stage or attempt is shown at once, steps at
most every `QUIET_S`. New and deleted jobs, and changes that only the store knows, are found by a scan of the store,
which runs when a file says so: the worker's wake-up file and the folder of jobs are watched.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from dataclasses import dataclass

import orjson

from isengard.api.frames import sse_frame
from isengard.api.paced_wakeups import PacedWakeups
from isengard.api.subscribers import Subscriber, Subscribers
from isengard.api.views import job_view
from isengard.core.errors import NotFound, StorageError
from isengard.core.paths import DataDir
from isengard.jobs.models import ACTIVE, Job
from isengard.jobs.store import Store
from isengard.journal import Entry, JobFold
from isengard.journal.follow import follow
from isengard.journal.notify import watch
from isengard.journal.readers import JournalReaders

_log = logging.getLogger(__name__)

QUIET_S = 0.25
QUIET_PER_CLIENT_S = 0.001
"""A job's steps are shown at most every `QUIET_S`, and less often the more clients would be sent them."""
ENDED_KEPT = 500
"""So many jobs that ended or went are remembered for clients that come back."""
_PAGE = 1000
_SCAN_GAP_S = 0.2
_ROW_LAG_S = 1.0
_SHARED_UPDATES = 32


@dataclass(slots=True)
class LiveJob:
    """One job as lists show it.

    Attributes:
        number: Of its newest change.
        data: Its state as JSON; empty once it is deleted.
        frame: Its newest change, ready to be sent.
    """

    job_id: str
    job: Job | None = None
    fold: JobFold | None = None
    number: int = 0
    data: bytes = b""
    frame: bytes = b""
    follower: asyncio.Task[None] | None = None
    shown_at: float = float("-inf")
    due: asyncio.TimerHandle | None = None
    headline: tuple[object, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether its journal says that it has ended; its row follows a moment later."""
        return self.fold is not None and self.fold.terminal_seq is not None

    @property
    def is_active(self) -> bool:
        """Whether something is still to happen."""
        return bool(self.data) and self.follower is not None and not self.is_over

    def stop(self) -> None:
        """No longer follow the job."""
        for handle in (self.follower, self.due):
            if handle is not None:
                handle.cancel()
        self.follower = self.due = None


@dataclass(frozen=True, slots=True)
class Update:
    """Changes as one piece of frames, and the number of the newest of them."""

    frames: bytes
    number: int


class LiveJobs:
    """The jobs that are not over, and those that were until lately.

    Attributes:
        run_id: Made anew with each object: numbers mean nothing to another one.
        number: Of the newest change.
        forgotten: Changes up to this number may have been forgotten.
    """

    def __init__(self, paths: DataDir, store: Store, readers: JournalReaders, subscribers: Subscribers) -> None:
        self._paths = paths
        self._readers = readers
        self._store = store
        self._subscribers = subscribers
        self._rounds = PacedWakeups(subscribers)
        self._loop: asyncio.AbstractEventLoop
        self._tiles: OrderedDict[str, LiveJob] = OrderedDict()  # the newest change last
        self._updates: dict[int, Update] = {}
        self._scan_wanted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.run_id = secrets.token_hex(4)
        self.number = 0
        self.forgotten = 0

    async def open(self) -> None:
        """Take up the jobs there are and begin to follow."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [asyncio.create_task(self._watch(), name="jobs-watch")]
        await self._scan()  # one at a time: two that meet a job at once would both follow it
        self._tasks.append(asyncio.create_task(self._scan_on(), name="jobs-scan"))

    async def close(self) -> None:
        """Stop following."""
        self._rounds.stop()
        running = [*self._tasks, *(tile.follower for tile in self._tiles.values() if tile.follower)]
        for tile in self._tiles.values():
            tile.stop()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def look(self) -> None:
        """Have the store looked at: something in it was changed. Safe from any thread."""
        self._loop.call_soon_threadsafe(self._scan_wanted.set)

    def gone(self, job_id: str) -> None:
        """Show that a job was deleted. Safe from any thread."""
        self._loop.call_soon_threadsafe(self._remove, job_id)

    @property
    def _quiet_s(self) -> float:
        return QUIET_S + QUIET_PER_CLIENT_S * len(self._subscribers)

    async def wait(self, subscriber: Subscriber) -> bool:
        """Sleep until there is a change, or a sign of life is due: then True."""
        return await self._rounds.wait(subscriber)

    def after(self, number: int) -> Update | None:
        """What has changed since, as one piece that all clients at the same place share; None if nothing has.

        To a client that stands before what was forgotten it is a snapshot.
        """
        if number >= self.number:
            return None
        if number < self.forgotten:
            return Update(self.snapshot(), self.number)
        update = self._updates.get(number)
        if update is None:
            frames = b"".join(tile.frame for tile in self._changed_after(number))
            update = Update(frames, self.number)
            if len(self._updates) < _SHARED_UPDATES:  # clients that lag each stand elsewhere; theirs are not shared
                self._updates[number] = update
        return update

    def snapshot(self) -> bytes:
        """All jobs that are not over as one frame."""
        jobs = b",".join(tile.data for tile in self._tiles.values() if tile.is_active)
        return sse_frame(f"{self.run_id}-{self.number}", "snapshot", b'{"jobs":[%s]}' % jobs)

    def _changed_after(self, number: int) -> list[LiveJob]:
        """The jobs whose newest change has a higher number, in the order of these."""
        newer: list[LiveJob] = []
        for tile in reversed(self._tiles.values()):
            if tile.number <= number:
                break
            newer.append(tile)
        newer.reverse()
        return newer

    async def _watch(self) -> None:
        async for _ in watch(self._paths.run, self._paths.jobs):
            self._scan_wanted.set()

    async def _scan_on(self) -> None:
        while True:
            await self._scan_wanted.wait()
            self._scan_wanted.clear()
            try:
                await self._scan()
            except Exception:
                _log.exception("the jobs could not be read from the store")
            await asyncio.sleep(_SCAN_GAP_S)

    async def _scan(self) -> None:
        active = await asyncio.to_thread(self._read_active)
        for job in active.values():
            await self._meet(job)
        followed = [tile for tile in self._tiles.values() if tile.follower and tile.job_id not in active]
        ended = [tile for tile in self._tiles.values() if tile.data and not tile.follower]
        for tile in (*followed, *await asyncio.to_thread(self._without_folder, ended)):
            await self._settle(tile)
        self._forget()
        if any(tile.follower and tile.is_over for tile in self._tiles.values()):
            self._loop.call_later(_ROW_LAG_S, self._scan_wanted.set)

    def _read_active(self) -> dict[str, Job]:
        found: list[Job] = []
        cursor: str | None = None
        while True:
            page = self._store.list_jobs(status=ACTIVE, limit=_PAGE, cursor=cursor)
            found.extend(page.jobs)
            cursor = page.cursor
            if cursor is None:
                return {job.id: job for job in reversed(found)}

    def _fold(self, job_id: str) -> JobFold:
        """The job's state; of a journal that cannot be read none, so that the others are shown all the same."""
        try:
            return JobFold.read(self._readers.of(job_id))
        except OSError:
            _log.exception("the journal of %s cannot be read", job_id)
            return JobFold()

    def _without_folder(self, tiles: list[LiveJob]) -> list[LiveJob]:
        return [tile for tile in tiles if not self._paths.job(tile.job_id).root.is_dir()]

    async def _meet(self, job: Job) -> None:
        """Take up an active job, or what the store knows of it that its journal does not say."""
        tile = self._tiles.setdefault(job.id, LiveJob(job.id))
        tile.job = job
        if tile.fold is None or tile.follower is None or tile.follower.done():
            tile.fold = await asyncio.to_thread(self._fold, job.id)
            tile.follower = asyncio.create_task(self._follow(tile, tile.fold), name=f"jobs-{job.id}")
        self._show_if_new(tile)

    async def _settle(self, tile: LiveJob) -> None:
        """A job that is not active any more: show how it ended, or that it is gone."""
        tile.stop()
        try:
            tile.job = await asyncio.to_thread(self._store.get_job, tile.job_id)
            tile.fold = await asyncio.to_thread(self._fold, tile.job_id)
            self._show(tile)
        except NotFound:
            self._remove(tile.job_id)

    def _remove(self, job_id: str) -> None:
        tile = self._tiles.setdefault(job_id, LiveJob(job_id))
        tile.stop()
        tile.data = b""
        self._number(tile)

    async def _follow(self, tile: LiveJob, fold: JobFold) -> None:
        try:
            async for lines in follow(self._paths.job(tile.job_id), after=fold.last_seq):
                fold.apply_all(Entry.read(line, fold.last_seq + 1) for line in lines)
                self._show_if_new(tile)
        except StorageError as error:
            _log.warning("the journal of %s cannot be followed now: %s", tile.job_id, error.detail)
        except OSError:
            pass  # its folder was removed under us; the scan says what became of the job
        self._loop.call_later(_SCAN_GAP_S, self._scan_wanted.set)  # a job that goes on is followed anew

    def _show_if_new(self, tile: LiveJob) -> None:
        """Show a changed headline at once, and anything else when the job has been quiet for long enough."""
        if tile.job is None or tile.fold is None:
            return
        fold, loop = tile.fold, self._loop
        headline = (tile.job.status, fold.status, fold.stage, fold.attempt)
        if tile.is_over:
            self._scan_wanted.set()
        if headline != tile.headline or loop.time() - tile.shown_at >= self._quiet_s:
            tile.headline = headline
            self._show(tile)
        elif tile.due is None:
            tile.due = loop.call_at(tile.shown_at + self._quiet_s, self._show, tile)

    def _show(self, tile: LiveJob) -> None:
        if tile.due is not None:
            tile.due.cancel()
            tile.due = None
        if tile.job is None or tile.fold is None:
            return
        data = job_view(tile.job, tile.fold).model_dump_json().encode()
        if data != tile.data:
            tile.data = data
            self._number(tile)

    def _number(self, tile: LiveJob) -> None:
        """Give the job's state the next number and wake whoever waits."""
        self.number += 1
        tile.number = self.number
        event, data = ("job", tile.data) if tile.data else ("removed", orjson.dumps({"id": tile.job_id}))
        tile.frame = sse_frame(f"{self.run_id}-{self.number}", event, data)
        self._updates.clear()
        tile.shown_at = self._loop.time()
        self._tiles.move_to_end(tile.job_id)
        self._rounds.announce()

    def _forget(self) -> None:
        over = [tile for tile in self._tiles.values() if tile.follower is None]
        for tile in over[: max(0, len(over) - ENDED_KEPT)]:
            self.forgotten = max(self.forgotten, tile.number)
            del self._tiles[tile.job_id]
