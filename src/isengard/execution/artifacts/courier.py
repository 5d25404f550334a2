"""Delivers the artifacts of a data folder for as long as it runs: a task of the worker, or a process for one job.

    python -m isengard.execution.artifacts.courier --data-dir DIR train-…

The process is for hosts that have a runner and no worker: it ends when the job is over and everything is delivered.
Never on the way of a step: it reads the journal as anyone does. A store that does not answer is asked again, ever more
rarely; nothing is given up.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from isengard.core.aside import aside
from isengard.core.errors import IsengardError, Unreachable
from isengard.core.paths import check_job_id
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings, load
from isengard.execution.artifacts import graves
from isengard.execution.artifacts.address import delivers, open_artifacts
from isengard.execution.artifacts.delivery import CARRIER, Delivery
from isengard.journal import service_log
from isengard.journal.tour import Tour, Visit

log = logging.getLogger(__name__)

HANDS = 4
"""Jobs that are delivered for at the same time."""
PART_PATIENCE_S = 180.0
"""How long one part of an upload is tried again before the upload starts over."""
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0


class Courier:
    """Delivers for all jobs of the data folder, or for one.

    Args:
        only: The one job; then `run` ends when there is nothing more to deliver.

    Raises:
        StartupError: The address of the store makes no sense.
    """

    def __init__(self, settings: Settings, only: str | None = None) -> None:
        self._settings = settings
        self._delivery = Delivery(settings.paths, open_artifacts(settings, patience_s=PART_PATIENCE_S))
        self._tour = Tour(settings.paths, CARRIER, None if only is None else {only})
        self._only = only
        self._hands = asyncio.Semaphore(HANDS)
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._overlooked: set[str] = set()
        self._is_out = False

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            async for _ in self._tour.rounds():
                for visit in self._tour.visits():
                    self._send(visit)
                if not self._only:
                    await aside(self._close_graves)
                elif not self._busy and self._tour.is_over(self._only):
                    return
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
        if visit.job_id in self._overlooked or self._only:
            self._overlooked.discard(visit.job_id)
            self._tour.nudge()

    async def _patiently(self, visit: Visit) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            try:
                while await aside(self._delivery.carry, visit):
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

    def _close_graves(self) -> None:
        for grave in graves.waiting(self._settings.paths):
            graves.close(self._settings, grave)

    def _note_silence(self, error: Unreachable) -> None:
        if not self._is_out:
            self._is_out = True
            log.warning("%s; artifacts stay here until it does", error.detail)

    def _note_answer(self) -> None:
        if self._is_out:
            self._is_out = False
            log.info("the artifact store answers again")


async def courier_of(settings: Settings) -> None:
    """The task of a worker: deliver until cancelled, where there is anywhere to deliver to."""
    if delivers(settings):
        await Courier(settings).run()


def main(arguments: Sequence[str]) -> int:
    """Deliver for one job; returns the exit code: 0 all is delivered or it was told to end, 2 it could not begin."""
    parser = argparse.ArgumentParser(prog="isengard-courier", description="Delivers the artifacts of one job.")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("job_id")
    chosen = parser.parse_args(arguments)
    try:
        settings = load(data_dir=chosen.data_dir)
        check_job_id(chosen.job_id)
        redactor = Redactor.configured(os.environ, settings.redact_patterns)
        service_log.configure_for("courier", settings, redactor)
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(_until_signalled(settings, chosen.job_id))
    except IsengardError as error:
        print(f"isengard courier: {error.detail}", file=sys.stderr)
        return 2
    return 0


async def _until_signalled(settings: Settings, job_id: str) -> None:
    task = asyncio.ensure_future(Courier(settings, job_id).run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await task


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
