"""The site's end: hands jobs out, keeps a copy of every run on other hosts, passes orders on, releases what is over.

Runs inside the site's one worker, so the worker's lease decides who does this. What it has to remember stands in the
jobs' folders (``remote.json``) and in the store: started anew, it goes on with what it finds there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import Any

from isengard.core.errors import IsengardError, NotFound
from isengard.core.settings import Settings
from isengard.events.bus import BusUnavailable
from isengard.events.redis import RedisEventBus
from isengard.execution import inbox
from isengard.execution.cluster import file_transfer, job_package, runs
from isengard.execution.cluster.messages import SITE, Mailbox, Message
from isengard.execution.cluster.run_copy import Post, RunCopy
from isengard.execution.cluster.runs import RemoteRun
from isengard.execution.inbox import InboxCommand
from isengard.jobs.models import HELD, Job
from isengard.jobs.store import Store
from isengard.journal import JobFold, JournalReader

log = logging.getLogger(__name__)

ROUND_S = 0.5
"""How often jobs and inboxes are looked at."""
REPEAT_S = 3.0
"""After how long an order that nobody confirmed is given again."""
_LISTEN_S = 1.0
_LONGEST_TICK_S = 2.0


@dataclass(slots=True)
class _Followed:
    """A run whose copy is kept; `silent_s` counts only time in which it could have been heard."""

    job: Job
    copy: RunCopy
    silent_s: float = 0.0

    def heard(self) -> None:
        self.silent_s = 0.0


class Coordinator:
    """The site's side of all runs on other hosts.

    Args:
        client: A `redis.asyncio` client.
    """

    def __init__(self, settings: Settings, store: Store, client: Any) -> None:
        self._settings = settings
        self._store = store
        self._mailbox = Mailbox(client)
        self._post = Post(settings, RedisEventBus(client), self._mailbox)
        self._followed: dict[str, _Followed] = {}
        self._ordered: dict[tuple[str, str], float] = {}
        self._reachable = False
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Work until cancelled."""
        listening = asyncio.create_task(self._listen())
        try:
            await self._look_after()
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await self.close()

    async def close(self) -> None:
        """Let go of the copies and of Redis."""
        for followed in self._followed.values():
            await followed.copy.close()
        await self._post.bus.close()

    # What the worker asks, from its own thread.

    def silent_s(self, run: RemoteRun) -> float:
        """For how many seconds the run could have been heard and was not."""
        followed = self._followed.get(run.channel)
        return followed.silent_s if followed else 0.0

    def give_up(self, run: RemoteRun) -> None:
        """Take the lines that are there and no more; the caller may write the journal then."""
        asyncio.run_coroutine_threadsafe(self._give_up(run), self._loop).result()

    # Everything below runs in the event loop.

    async def _give_up(self, run: RemoteRun) -> None:
        followed = self._followed.get(run.channel)
        if followed is not None:
            await followed.copy.give_up()
        paths = self._settings.paths.job(run.job_id)
        await asyncio.to_thread(runs.write, paths, runs.new(run.job_id, run.attempt, ""))
        self._followed.pop(run.channel, None)

    async def _look_after(self) -> None:
        before = time.monotonic()
        while True:
            try:
                await self.round()
            except IsengardError as error:
                log.warning("%s; trying again", error.detail)
            now = time.monotonic()
            passed, before = min(now - before, _LONGEST_TICK_S), now
            if self._reachable:
                for followed in self._followed.values():
                    followed.silent_s += passed
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ROUND_S):
                    await self._changed.wait()
            self._changed.clear()

    async def round(self) -> None:
        """Look once which runs there are and what they are to be told."""
        wanted = await asyncio.to_thread(self._wanted)
        for channel in [channel for channel in self._followed if channel not in wanted]:
            await self._followed.pop(channel).copy.close()
        for job, run in wanted.values():
            self._follow(job, run)
            await self._pass_orders(job, run)

    def _follow(self, job: Job, run: RemoteRun) -> None:
        """Keep a copy of the run. It may be kept already: a round that saw the run begin comes in between."""
        if run.channel in self._followed:
            return
        log.info("job %s: attempt %d runs on %s", job.id, run.attempt, run.host)
        # The entry is there before its copy's first line can come: both are made in this loop.
        self._followed[run.channel] = _Followed(job, RunCopy(self._post, job, run, lambda: self._heard(run.channel)))

    def _heard(self, channel: str) -> None:
        if (followed := self._followed.get(channel)) is not None:
            followed.heard()

    def _wanted(self) -> dict[str, tuple[Job, RemoteRun]]:
        """The runs on other hosts that count and are not over, by their channels."""
        found = {}
        for job in self._store.held_jobs():
            run = runs.read(self._settings.paths.job(job.id))
            if run is not None and run.attempt == job.attempt and run.host:
                found[run.channel] = (job, run)
        return found

    async def _pass_orders(self, job: Job, run: RemoteRun) -> None:
        for message in await asyncio.to_thread(inbox.pending, self._settings.paths.job(job.id), job.attempt):
            key, now = (job.id, message.path.name), time.monotonic()
            if now - self._ordered.get(key, -REPEAT_S) >= REPEAT_S:
                self._ordered[key] = now
                await self._send_order(run, message)

    async def _send_order(self, run: RemoteRun, message: InboxCommand) -> None:
        with contextlib.suppress(BusUnavailable, OSError):
            body = await asyncio.to_thread(message.path.read_text, "utf-8")
            await self._mailbox.send(run.channel, "order", name=message.path.name, body=body)

    async def _listen(self) -> None:
        while True:
            try:
                message = await self._mailbox.receive([SITE], _LISTEN_S)
                self._reachable = True
                if message is not None:
                    await self._take(message)
            except BusUnavailable:
                self._reachable = False
                await asyncio.sleep(ROUND_S)
            except Exception:  # whatever one message holds, the next must be read
                log.exception("a message could not be handled")

    async def _take(self, message: Message) -> None:
        content = message.content
        if message.kind == "alive":
            for channel in map(str, content["channels"]):
                self._heard(channel)
                if channel not in self._followed and await asyncio.to_thread(self._is_given_up, channel):
                    await self._mailbox.send(channel, "release")
        elif message.kind == "begin":
            await self._begin(message)
        elif message.kind == "read":
            await file_transfer.give(self._mailbox, message, await asyncio.to_thread(self._shared_files, content))
        elif message.kind == "obeyed":
            await asyncio.to_thread(self._obeyed, content)
        elif message.kind == "ended" and await asyncio.to_thread(self._is_released, content):
            await self._mailbox.send(str(content["channel"]), "release")

    async def _begin(self, message: Message) -> None:
        job_id, attempt = str(message.content["job_id"]), int(message.content["attempt"])
        try:
            packed = await asyncio.to_thread(
                job_package.pack,
                self._settings,
                self._store,
                job_id,
                attempt,
                str(message.content["host"]),
                str(message.content["asked"]),
            )
            answer = job_package.encode(packed, str(message.content.get("key", "")))
        except IsengardError as error:
            await self._mailbox.answer(message, {"refused": error.detail})
            return
        if packed.run.channel not in self._followed:  # else it asks again
            # The host has the journal up to here: lines go on behind it.
            last = await asyncio.to_thread(JournalReader(self._settings.paths.job(job_id)).last_seq)
            await self._post.bus.rewind(packed.run.channel, last)
            self._follow(packed.job, packed.run)
        await self._mailbox.answer(message, answer)

    def _shared_files(self, content: dict[str, Any]) -> file_transfer.SharedFiles | None:
        job_id = str(content.get("job_id"))
        run = runs.read(self._settings.paths.job(job_id))
        if run is None or run.token != content.get("token"):
            return None
        return job_package.shared_files(self._settings, self._store.get_job(job_id))

    def _obeyed(self, content: dict[str, Any]) -> None:
        paths = self._settings.paths.job(str(content["job_id"]))
        name = str(content["name"])
        run = runs.read(paths)
        if run is not None and run.token == content["token"] and "/" not in name and not name.startswith("."):
            (paths.inbox / name).unlink(missing_ok=True)
            self._ordered.pop((run.job_id, name), None)

    def _is_given_up(self, channel: str) -> bool:
        """Whether the run of a host that is heard of is not, or no longer, the one that counts."""
        job_id, _, rest = channel.partition("@")
        run = runs.read(self._settings.paths.job(job_id))
        return run is None or run.token != rest.rpartition("-")[2]

    def _is_released(self, content: dict[str, Any]) -> bool:
        """Whether the site needs nothing more of a run: it has all of it, or it has given it up."""
        paths = self._settings.paths.job(str(content["job_id"]))
        run = runs.read(paths)
        if run is None or run.token != content["token"]:
            return True
        try:
            job = self._store.get_job(run.job_id)
        except NotFound:
            return True
        fold = JobFold.read(JournalReader(paths))
        return job.status not in HELD or (fold.terminal_seq is not None and fold.attempt >= run.attempt)
