"""Delivers the artifacts of a data folder for as long as it runs: a task of the worker.

Never on the way of a step: it reads the journal as anyone does. A store that does not answer is asked again, ever more
rarely; nothing is given up.
"""

from __future__ import annotations

import asyncio
import logging

from isengard.core.errors import Unreachable
from isengard.core.settings import Settings
from isengard.core.threads import in_thread
from isengard.execution.artifacts import tombstones
from isengard.execution.artifacts.address import delivers, open_artifacts
from isengard.execution.artifacts.job_upload import CARRIER, JobUpload
from isengard.journal.tour import Tour, Visit

log = logging.getLogger(__name__)

CONCURRENCY = 4
"""Jobs that are delivered for at the same time."""
PART_PATIENCE_S = 180.0
"""How long one part of an upload is tried again before the upload starts over."""
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0


class Uploader:
    """Delivers for all jobs of the data folder.

    Raises:
        StartupError: The address of the store makes no sense.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._upload = JobUpload(settings.paths, open_artifacts(settings, patience_s=PART_PATIENCE_S))
        self._tour = Tour(settings.paths, CARRIER)
        self._hands = asyncio.Semaphore(CONCURRENCY)
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._overlooked: set[str] = set()
        self._is_out = False

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            async for _ in self._tour.rounds():
                for visit in self._tour.visits():
                    self._send(visit)
                await in_thread(self._close_tombstones)
        finally:
            for task in self._busy.values():
                task.cancel()
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    def _send(self, visit: Visit) -> None:
        if visit.job_id in self._busy:
            self._overlooked.add(visit.job_id)
            return
        self._busy[visit.job_id] = asyncio.create_task(self._deliver(visit))

    async def _deliver(self, visit: Visit) -> None:
        async with self._hands:
            await self._patiently(visit)
        del self._busy[visit.job_id]
        if visit.job_id in self._overlooked:
            self._overlooked.discard(visit.job_id)
            self._tour.nudge()

    async def _patiently(self, visit: Visit) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            try:
                while await in_thread(self._upload.carry, visit):
                    pause = _FIRST_PAUSE_S
                    self._note_answer()
                return
            except Unreachable as error:
                self._note_silence(error)
            except Exception:  # whatever it is, the other jobs' artifacts must go on
                log.exception("the artifacts of job %s cannot be delivered; trying again", visit.job_id)
            if not visit.paths.journal.exists():
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _close_tombstones(self) -> None:
        for tombstone in tombstones.waiting(self._settings.paths):
            tombstones.close(self._settings, tombstone)

    def _note_silence(self, error: Unreachable) -> None:
        if not self._is_out:
            self._is_out = True
            log.warning("%s; artifacts stay here until it does", error.detail)

    def _note_answer(self) -> None:
        if self._is_out:
            self._is_out = False
            log.info("the artifact store answers again")


async def uploader_of(settings: Settings) -> None:
    """The task of a worker: deliver until cancelled, where there is anywhere to deliver to. Of a host its site does."""
    if delivers(settings) and not settings.remote:
        await Uploader(settings).run()
