"""Sends one signal for all jobs of a data folder: reads on where it stands, sends, and remembers that it was taken.

    journals ─ lines ─ records ─ batch ─ collector ─ taken? ─ position

Lines of all jobs go together, at most every `LINGER_S` seconds. A collector that does not answer is asked again, ever
more rarely; what it refuses for good is left out line by line, and told. Told to end, it finishes what it has just
sent, so that a restart repeats nothing; only a kill between the answer and the position repeats that one batch.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from isengard.core.paths import DataDir
from isengard.core.threads import in_thread
from isengard.journal.tour import Tour, Visit
from isengard.telemetry.job_trace import JobTrace
from isengard.telemetry.signals import Answer, Signal

log = logging.getLogger(__name__)

LINGER_S = 1.0
BATCH = 1_000
"""Records of one request, about."""
_BYTES = 128 * 1024
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_LAST_WORD_S = 12.0
"""How long a request that is under way is waited for at the end; the SDK gives it ten seconds."""


class Exporter:
    """Exports one signal."""

    def __init__(self, data: DataDir, signal: Signal) -> None:
        self._signal = signal
        self._tour = Tour(data, signal.carrier)
        self._pause = _FIRST_PAUSE_S
        self._is_out = False

    async def run(self, stop: asyncio.Event) -> None:
        """Export until `stop` is set."""
        rounds = aiter(self._tour.rounds())
        while await _before(stop, anext(rounds)):
            while not stop.is_set() and await self._round(stop):
                pass
            await _before(stop, asyncio.sleep(LINGER_S))

    async def _round(self, stop: asyncio.Event) -> bool:
        """Send one batch; whether there may be more."""
        batch, read = self._collect()
        if not read:
            return False
        if batch and not await self._insist(batch, stop):
            return False
        for visit, count, state in read:
            try:
                visit.advance(count, state)
            except OSError as error:
                log.error("the position in job %s cannot be kept: %s", visit.job_id, error)
        return True

    def _collect(self) -> tuple[list[Any], list[tuple[Visit, int, dict[str, Any]]]]:
        """Records of the next lines of some jobs, and how far that goes in each."""
        batch: list[Any] = []
        read = []
        for visit in self._tour.visits():
            if len(batch) >= BATCH:
                break
            try:
                entries = visit.read(_BYTES)
            except OSError as error:
                log.error("the journal of job %s cannot be read: %s", visit.job_id, error)
                continue
            trace = JobTrace(visit.job_id, visit.position.state)
            for entry in entries:
                batch += self._signal.make(trace, entry, trace.apply(entry))
            if entries:
                read.append((visit, len(entries), trace.state()))
        return batch, read

    async def _insist(self, batch: Sequence[Any], stop: asyncio.Event) -> bool:
        """Send `batch` until it is taken or refused for good; False if it was told to end before."""
        waiting = [batch]
        while waiting:
            answer = await self._send(waiting[0], stop)
            if answer is Answer.TAKEN:
                waiting.pop(0)
                self._note_answer()
            elif answer is Answer.REFUSED:
                waiting[:1] = self._smaller(waiting[0])
            elif not await self._wait(stop):
                return False
        return True

    async def _send(self, items: Sequence[Any], stop: asyncio.Event) -> Answer:
        sending = asyncio.ensure_future(in_thread(self._signal.send, items))
        if not await _before(stop, asyncio.shield(sending)):
            self._signal.hurry()
            await asyncio.wait([sending], timeout=_LAST_WORD_S)
        return sending.result() if sending.done() else Answer.NOT_NOW

    def _smaller(self, refused: Sequence[Any]) -> list[Sequence[Any]]:
        """What to try instead of what was refused: the halves; nothing where only one record is left."""
        middle = len(refused) // 2
        if middle:
            return [refused[:middle], refused[middle:]]
        log.warning("the collector refuses one record of %s; it is left out: %.300r", self._signal.name, refused[0])
        return []

    async def _wait(self, stop: asyncio.Event) -> bool:
        if not self._is_out:
            self._is_out = True
            log.warning("the collector does not take %s; they stay here until it does", self._signal.name)
        pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE_S)
        return await _before(stop, asyncio.sleep(pause, True))

    def _note_answer(self) -> None:
        self._pause = _FIRST_PAUSE_S
        if self._is_out:
            self._is_out = False
            log.info("the collector takes %s again", self._signal.name)


async def _before(stop: asyncio.Event, work: Any) -> bool:
    """Wait for `work`; False if `stop` came first, and then `work` is cancelled."""
    doing, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait([doing, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if doing.done():
        doing.result()
        return True
    doing.cancel()
    await asyncio.gather(doing, return_exceptions=True)
    return False
