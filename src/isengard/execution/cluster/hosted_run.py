"""One run on this host, from its arrival to its release, as the agent looks after it.

    lines are shipped ─ the runner is gone ─ its end is written if it could not ─ "ended" until the site says "release"

Writes to the journal only once the runner is gone, and then with the journal's own lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import time
from pathlib import Path

from isengard.core.errors import JournalLocked
from isengard.core.settings import Settings
from isengard.events.bus import BusUnavailable, EventBus, Gap, JournalLine
from isengard.execution import inbox, runner_lock
from isengard.execution.cluster.file_transfer import SharedFiles
from isengard.execution.cluster.messages import SITE, Mailbox, Message
from isengard.execution.cluster.runs import RemoteRun
from isengard.execution.cluster.shipper import Shipper
from isengard.execution.dead_runner import RunnerDeath, finish_dead_run
from isengard.execution.inbox import Command
from isengard.execution.spec import RunSpec
from isengard.jobs.models import Job, JobStatus
from isengard.journal import JobFold, JournalReader
from isengard.journal.replica import JournalReplica
from isengard.trainers import jobfile

log = logging.getLogger(__name__)

RUNNER_GRACE_S = 3.0
"""How long a runner has been gone before somebody else writes its end: its worker comes first and knows more."""
ASK_S = 2.0
"""How often the site is asked to release a run that is over."""
_TAKE_BACK_S = 10.0


class HostedRun:
    """One run.

    Attributes:
        is_lost: Nothing more can be done for it here: the site had better give it up.
    """

    def __init__(self, settings: Settings, bus: EventBus, mailbox: Mailbox, run: RemoteRun) -> None:
        self.run = run
        self.is_lost = False
        self._settings = settings
        self._paths = settings.paths.job(run.job_id)
        self._bus = bus
        self._mailbox = mailbox
        self._obeyed: set[str] = set()
        self._gone_since: float | None = None
        self._asked_at = 0.0
        self._shipper = Shipper(bus, self._paths, run.channel)
        self._shipping = asyncio.create_task(self._shipper.run())

    async def leave(self) -> None:
        """Stop looking after it."""
        self._shipping.cancel()
        await asyncio.gather(self._shipping, return_exceptions=True)

    def shared_files(self) -> SharedFiles:
        """What the site may fetch."""
        paths = self._paths
        loras = (spec.lora,) if (spec := self._spec()) is not None else ()
        return SharedFiles(self._settings.data_dir, (paths.samples, paths.checkpoints, *loras))

    async def order(self, message: Message) -> None:
        """Hand an order to the runner, once, and say so."""
        name, body = str(message.content["name"]), str(message.content["body"])
        if name not in self._obeyed and Path(name).name == name and self._paths.inbox.is_dir():
            partial = self._paths.inbox / f".{name}"
            partial.write_text(body, encoding="utf-8")
            os.replace(partial, self._paths.inbox / name)
            self._obeyed.add(name)
        await self._mailbox.send(SITE, "obeyed", job_id=self.run.job_id, token=self.run.token, name=name)

    async def release(self) -> None:
        """The site needs nothing more of this run: end it if it still goes on, then clear its folder."""
        if await asyncio.to_thread(runner_lock.is_held, self._paths):
            log.warning("%s was given up by the site; it is ended here", self.run.channel)
            inbox.put(self._paths, Command.CANCEL, attempt=self.run.attempt, sender="site", correlation_id="")
            return
        await self.leave()
        await asyncio.to_thread(self._clear)
        log.info("%s is released", self.run.channel)

    async def look_after(self) -> None:
        """Look whether it is over, and do what is to be done then."""
        if self._shipping.done():
            if not self._shipping.cancelled():  # which is how it ends once the run is released
                self._shipping.result()
            return
        if await asyncio.to_thread(runner_lock.is_held, self._paths):
            self._gone_since = None
            return
        now = time.monotonic()
        self._gone_since = self._gone_since or now
        if now - self._gone_since < RUNNER_GRACE_S and not await asyncio.to_thread(self._is_over):
            return
        if await self._has_its_end() and now - self._asked_at > ASK_S:
            self._asked_at = now
            with contextlib.suppress(BusUnavailable):
                await self._mailbox.send(SITE, "ended", channel=self.run.channel, **self._identity())

    async def _has_its_end(self) -> bool:
        """Whether the run needs no end, or has one that was shipped; writes it if nobody else could."""
        fold = await asyncio.to_thread(self._fold)
        if fold.status == "queued" or fold.attempt != self.run.attempt:
            return True  # the runner never began
        if fold.terminal_seq is None:
            if await self._taken_back(fold.last_seq):
                with contextlib.suppress(JournalLocked):
                    await asyncio.to_thread(self._bury)
            return False
        return self._shipper.shipped >= fold.terminal_seq

    async def _taken_back(self, last_seq: int) -> bool:
        """Take back what a power cut took from the journal and the bus still has; false if it is gone for good."""
        try:
            newest = await self._bus.newest(self.run.channel)
        except BusUnavailable:
            return True  # whatever the bus has, it has from here
        if newest <= last_seq:
            return True
        with contextlib.suppress(TimeoutError), JournalReplica(self._paths) as replica:
            async with asyncio.timeout(_TAKE_BACK_S):
                async for event in self._bus.subscribe(self.run.channel, after=replica.last_seq):
                    if isinstance(event, Gap):
                        break
                    if isinstance(event, JournalLine):
                        replica.take([event.line])
                    if replica.last_seq >= newest:
                        return True
        self.is_lost = True
        log.error("%s: the journal here has lost lines that the site has; the site has to end it", self.run.channel)
        return False

    def _bury(self) -> None:
        spec = self._spec()
        if spec is None:
            self.is_lost = True
            return
        death = RunnerDeath(runner_lock.holder(self._paths), None)
        log.warning("%s: %s", self.run.channel, death.words)
        finish_dead_run(self._settings, _as_job(spec, self.run), death)

    def _is_over(self) -> bool:
        return self._fold().terminal_seq is not None

    def _fold(self) -> JobFold:
        return JobFold.read(JournalReader(self._paths))

    def _spec(self) -> RunSpec | None:
        try:
            return jobfile.read(self._paths.spec, RunSpec)
        except (OSError, ValueError):
            return None

    def _identity(self) -> dict[str, object]:
        return {"job_id": self.run.job_id, "attempt": self.run.attempt, "token": self.run.token}

    def _clear(self) -> None:
        spec = self._spec()
        if spec is not None:
            spec.lora.unlink(missing_ok=True)
        self._settings.paths.job_secrets(self.run.job_id).unlink(missing_ok=True)
        shutil.rmtree(self._paths.root, ignore_errors=True)


def _as_job(spec: RunSpec, run: RemoteRun) -> Job:
    """What the end of a dead run needs; a host has no store to ask."""
    from datetime import UTC, datetime  # noqa: PLC0415 - used only here

    return Job(
        id=run.job_id,
        character_id=spec.job.character_id,
        trainer=spec.trainer,
        config=spec.job.config,
        correlation_id=spec.job.correlation_id,
        created_at=datetime.now(UTC),
        status=JobStatus.RUNNING,
        attempt=run.attempt,
        total_steps=int(spec.job.config["steps"]),
        traceparent=spec.traceparent,
    )
