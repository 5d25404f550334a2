"""The site's copy of one run's journal: its lines as they come from the host, each once and in order.

A line that names a file is taken once the file is here. So what the site's journal tells of is there to be looked at,
and a job that it calls completed has its LoRA here, whatever becomes of the host afterwards. Lines are let go of on the
bus only when this disk has confirmed them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from isengard.core.errors import Conflict, IsengardError, JournalLocked, StorageError
from isengard.core.settings import Settings
from isengard.events.bus import BusUnavailable, EventBus, Gap, JournalLine, Subscription
from isengard.events.models import TERMINAL_EVENTS, EventName
from isengard.execution.artifacts.job_upload import STATES
from isengard.execution.cluster.file_transfer import Fetcher, GaveUp
from isengard.execution.cluster.messages import Mailbox
from isengard.execution.cluster.runs import RemoteRun
from isengard.jobs.models import Job
from isengard.journal import Entry
from isengard.journal.replica import JournalReplica

log = logging.getLogger(__name__)

CONFIRM_S = 0.5
"""How often what was taken is confirmed by the disk and let go of on the bus."""
_PAUSE_S = 1.0
_DRAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Post:
    """What a copy is kept with."""

    settings: Settings
    bus: EventBus
    mailbox: Mailbox


class RunCopy:
    """Keeps one copy until its run has ended or was given up.

    Args:
        heard: Called whenever a line comes.

    Attributes:
        is_over: The run's last line is here and on the disk.
        last_seq: Number of the last line that is here.
    """

    def __init__(self, post: Post, job: Job, run: RemoteRun, heard: Callable[[], None]) -> None:
        self.run = run
        self._character_id = job.character_id
        self.is_over = False
        self._post = post
        self._paths = post.settings.paths.job(run.job_id)
        self._heard = heard
        self._wanted = True
        self.last_seq = 0
        self._subscription: Subscription | None = None
        self._task = asyncio.create_task(self._keep())

    async def give_up(self) -> None:
        """Take what is on the bus already, as far as its files can be had, and take nothing more."""
        deadline = time.monotonic() + _DRAIN_S
        with contextlib.suppress(TimeoutError, BusUnavailable):
            async with asyncio.timeout(_DRAIN_S):
                newest = await self._post.bus.newest(self.run.channel)
            while self.last_seq < newest and not self._task.done() and time.monotonic() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # the bus does not tell
        await self.close()

    async def close(self) -> None:
        """Stop keeping it; somebody else may write the journal."""
        self._wanted = False
        if self._subscription is not None:
            await self._subscription.aclose()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        while self._wanted and not self.is_over:
            try:
                with JournalReplica(self._paths) as replica:
                    await self._follow(replica)
            except (JournalLocked, StorageError, Conflict, BusUnavailable, OSError) as error:
                log.warning("%s: %s; trying again", self.run.channel, error)
                await asyncio.sleep(_PAUSE_S)
            except GaveUp:
                return
            except Exception:  # whatever one line holds: said, and tried again
                log.exception("%s cannot be copied; trying again", self.run.channel)
                await asyncio.sleep(_PAUSE_S)

    async def _follow(self, replica: JournalReplica) -> None:
        confirming = asyncio.create_task(self._confirm(replica))
        try:
            while self._wanted and not self.is_over:
                self.last_seq = replica.last_seq
                self._subscription = self._post.bus.subscribe(self.run.channel, after=replica.last_seq)
                if await self._take_until_gap(replica, self._subscription):
                    log.warning("%s: lines behind %d are asked for again", self.run.channel, replica.last_seq)
                    await self._post.bus.rewind(self.run.channel, replica.last_seq)
        finally:
            confirming.cancel()
            await asyncio.gather(confirming, return_exceptions=True)

    async def _take_until_gap(self, replica: JournalReplica, lines: Subscription) -> bool:
        """Take lines as they come; true at a gap, false at the end of the run."""
        async for event in lines:
            self._heard()
            if isinstance(event, Gap) or (isinstance(event, JournalLine) and event.seq > replica.last_seq + 1):
                await lines.aclose()
                return True
            if isinstance(event, JournalLine) and event.seq == replica.last_seq + 1:
                entry = Entry.parse(event.line)
                await self._bring_files(entry)
                replica.take([event.line])
                self.last_seq = replica.last_seq
                if entry.event in TERMINAL_EVENTS and entry.fields.get("attempt") == self.run.attempt:
                    await asyncio.to_thread(replica.sync)
                    self.is_over = True
                    await lines.aclose()
                    return False
        return False

    async def _confirm(self, replica: JournalReplica) -> None:
        confirmed = replica.last_seq
        while True:
            await asyncio.sleep(CONFIRM_S)
            if (seq := replica.last_seq) > confirmed:
                with contextlib.suppress(IsengardError):  # a disk that cannot confirm keeps the lines on the bus
                    await asyncio.to_thread(replica.sync)
                    await self._post.bus.forget(self.run.channel, seq)
                    confirmed = seq

    async def _bring_files(self, entry: Entry) -> None:
        """Fetch what the line tells of. What the host has no more is not waited for."""
        target = self._named_file(entry)
        if target is not None:
            await self._fetch(target)
        if entry.event == EventName.TRAINING_CHECKPOINT:
            await self._bring_states(str(entry.fields.get("checkpoint_path", "")))

    async def _bring_states(self, checkpoint: str) -> None:
        """What a resume needs beside the checkpoint itself, where its trainer keeps such a thing."""
        folder = self._paths.checkpoints / STATES
        listed = await self._fetcher().names(self._name(folder))
        for name in listed:
            if Path(name).stem == Path(checkpoint).stem and "/" not in name and name != "..":
                await self._fetch(folder / name)

    async def _fetch(self, target: Path) -> None:
        if not await self._fetcher().fetch(self._name(target), target):
            log.warning("%s: the host has no %s any more", self.run.channel, self._name(target))

    def _fetcher(self) -> Fetcher:
        return Fetcher(self._post.mailbox, self.run.channel, {}, lambda: self._wanted)

    def _name(self, target: Path) -> str:
        return target.relative_to(self._post.settings.data_dir).as_posix()

    def _named_file(self, entry: Entry) -> Path | None:
        """Where the file that a line tells of lies on the site; only names count, so none leads elsewhere."""
        places = {
            EventName.TRAINING_SAMPLE: ("sample_path", self._paths.samples),
            EventName.TRAINING_CHECKPOINT: ("checkpoint_path", self._paths.checkpoints),
            EventName.JOB_COMPLETED: ("output_path", self._post.settings.paths.loras(self._character_id)),
        }
        if entry.event not in places:
            return None
        field, folder = places[EventName(entry.event)]
        name = Path(str(entry.fields.get(field) or "")).name
        return folder / name if name not in ("", "..") else None
