"""Brings a journal's lines onto the bus as they are written. Has no position of its own: the bus knows what it has.

Killed at any moment and started again, it asks the bus where to go on. A bus that cannot be reached is waited for; one
that lost lines, whether a restart or a failover took them, is given them again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from isengard.core.paths import JobPaths
from isengard.events.bus import BusUnavailable, EventBus, JournalLine, LineGap
from isengard.journal import JournalCursor
from isengard.journal.notify import Watch

log = logging.getLogger(__name__)

LOOK_S = 3.0
"""How often the bus is asked whether it still has everything, while nothing is written."""
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0


class Shipper:
    """Ships one journal.

    Args:
        channel: What the lines go under on the bus.

    Attributes:
        shipped: Number of the last line that the bus confirmed.
    """

    def __init__(self, bus: EventBus, paths: JobPaths, channel: str) -> None:
        self._bus = bus
        self._paths = paths
        self._channel = channel
        self._unreachable = False
        self.shipped = 0

    async def run(self) -> None:
        """Ship until cancelled."""
        while True:
            after = await self._newest()
            with contextlib.suppress(LineGap), JournalCursor(self._paths, after) as cursor:
                await self._ship_from(cursor, after)

    async def _ship_from(self, cursor: JournalCursor, after: int) -> None:
        """Ship what is behind line `after`; ends when the bus needs earlier lines, raises `LineGap` when it says so."""
        self.shipped = after
        async with Watch(self._paths.journal) as changes:
            while not cursor.gone:
                if lines := cursor.read_new():
                    first = cursor.position - len(lines) + 1
                    await self._publish([JournalLine(self._channel, first + n, line) for n, line in enumerate(lines)])
                    self.shipped = cursor.position
                elif not await _changed(changes) and await self._newest() < self.shipped:
                    log.warning("%s: Redis has lost lines; they are sent again", self._channel)
                    return
            await asyncio.sleep(_LONGEST_PAUSE_S)  # the journal is being replaced

    async def _publish(self, lines: list[JournalLine]) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            try:
                await self._bus.publish(*lines)
            except BusUnavailable as error:
                self._note(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                self._unreachable = False
                return

    async def _newest(self) -> int:
        while True:
            try:
                return await self._bus.newest(self._channel)
            except BusUnavailable as error:
                self._note(error)
                await asyncio.sleep(_LONGEST_PAUSE_S)

    def _note(self, error: BusUnavailable) -> None:
        if not self._unreachable:
            log.warning("%s: %s; the journal is kept here meanwhile", self._channel, error.detail)
        self._unreachable = True


async def _changed(changes: Watch) -> bool:
    """Wait for a change; whether there was one before it was time to look at the bus."""
    try:
        async with asyncio.timeout(LOOK_S):
            await changes.wait()
    except TimeoutError:
        return False
    return True
