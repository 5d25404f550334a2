"""The worker: one process per data folder that keeps the queue moving. Ends at SIGTERM and leaves its runners running.

take the lease ─ reconcile ─┬─ turn: check what runs, claim what waits ─ sleep until woken ─┬─ SIGTERM: give it back
                            └───────────────────────────────────────────────────────────────┘
beside it: a beat every fifth of a lease. A beat that is refused means another worker took over: end, touch nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

from isengard.core.errors import Fenced, IsengardError, StartupError, StorageError
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.execution import process, reconcile, retries, worker_lease
from isengard.execution.artifacts import open_artifacts
from isengard.execution.artifacts.uploader import uploader_of
from isengard.execution.cluster import membership
from isengard.execution.job_supervisor import JobSupervisor, Retry
from isengard.jobs.leases import Worker as Registration
from isengard.jobs.store import Store, open_store
from isengard.journal import service_log
from isengard.journal.notify import watch

log = logging.getLogger(__name__)

THREADS = 32
BUSY_S = 0.5
"""How often running jobs are looked at."""
IDLE_S = 5.0
"""How often an idle worker looks at the queue without being woken: for jobs that other hosts queued."""


class Worker:
    """The worker of one data folder.

    Args:
        retry: Decides about automatic retries; None for what the settings say.
    """

    def __init__(self, settings: Settings, *, retry: Retry | None = None) -> None:
        self._settings = settings
        self._retry = retry or retries.ByCause(settings.max_retries)
        self._stop = threading.Event()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT. For a process of its own: it adopts and kills orphans of dead runs.

        Raises:
            StartupError: The folder cannot be written or has a living worker.
        """
        settings = self._settings
        settings.paths.prepare()
        open_artifacts(settings)  # an address that makes no sense is told now
        membership.check(settings)
        redactor = Redactor.configured(os.environ, settings.redact_patterns)
        service_log.configure_for("worker", settings, redactor)
        process.become_subreaper()
        with contextlib.closing(open_store(settings)) as store:
            asyncio.run(self._live(store))

    async def _live(self, store: Store) -> None:
        woken = asyncio.Event()
        # More than the default: disks that are slow to confirm must not keep messages and heartbeats waiting.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
        self._listen_to_signals(woken)
        taken = await self._take_lease(store)
        if taken is None:
            return
        registration = taken.registration
        log.info("worker %s started on %s", registration.id, self._settings.data_dir)
        async with membership.supervisor_of(self._settings, store, taken, self._retry) as supervisor:
            await self._serve(store, registration, supervisor, woken)
        await self._leave(store, registration, supervisor)

    async def _serve(
        self, store: Store, registration: Registration, supervisor: JobSupervisor, woken: asyncio.Event
    ) -> None:
        beside = [
            asyncio.create_task(self._beat(store, registration, woken)),
            asyncio.create_task(self._watch(woken)),
        ]
        try:
            if not self._settings.remote:  # the site's journals are the truth, and it brings their files to the store
                beside.append(asyncio.create_task(uploader_of(self._settings)))
                await asyncio.to_thread(reconcile.reconcile, self._settings, store, supervisor)
            await self._work(supervisor, woken)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    def _listen_to_signals(self, woken: asyncio.Event) -> None:
        def stop() -> None:
            self._stop.set()
            woken.set()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)

    async def _take_lease(self, store: Store) -> worker_lease.WorkerLease | None:
        take = functools.partial(
            worker_lease.take, self._settings, store, sleep=self._stop.wait, stopped=self._stop.is_set
        )
        return await asyncio.to_thread(take)

    async def _work(self, supervisor: JobSupervisor, woken: asyncio.Event) -> None:
        while not self._stop.is_set():
            woken.clear()
            try:
                more = await asyncio.to_thread(supervisor.turn)
            except Fenced:
                return
            except IsengardError as error:
                log.error("%s; trying again", error.detail)
                more = False
            if not more:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), BUSY_S if supervisor.held else IDLE_S)

    async def _beat(self, store: Store, registration: Registration, woken: asyncio.Event) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_s / 5)
            try:
                await asyncio.to_thread(store.beat, registration)
            except Fenced as error:
                log.error("%s; ending", error.detail)
                self._stop.set()
                woken.set()
                return
            except StorageError as error:
                log.warning("no sign of life could be written: %s", error.detail)

    async def _watch(self, woken: asyncio.Event) -> None:
        with contextlib.suppress(StorageError):  # no watch left to give: the queue is looked at every few seconds
            async for _ in watch(self._settings.paths.wake):
                woken.set()

    async def _leave(self, store: Store, registration: Registration, supervisor: JobSupervisor) -> None:
        await asyncio.to_thread(store.release, registration)
        if supervisor.held:
            going = ", ".join(sorted(supervisor.held))
            log.info(
                "worker ended; %d trainings go on and are adopted at the next start: %s", len(supervisor.held), going
            )
        else:
            log.info("worker ended; nothing is running")


__all__ = ["StartupError", "Worker"]
