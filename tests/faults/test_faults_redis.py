"""Fault 24: Redis is killed, flushed, replaced by an empty one, trimmed past the cursor. It is a transport, no record.

A publisher reads a runner's journal and publishes its lines; a subscriber keeps a copy (`journal/replica.py`). Whatever
happens to Redis in between, the copy ends up as the journal is, byte for byte. What the bus itself says of each outage
is in `tests/contract/test_event_bus.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from faults.checker import whole_journal
from isengard.core.paths import DataDir, JobPaths
from isengard.core.redaction import Redactor
from isengard.events import Gap, JournalLine, RedisEventBus
from isengard.events.bus import BusUnavailable, LineGap
from isengard.events.models import EventName
from isengard.journal import JournalReader, JournalWriter
from isengard.journal.replica import JournalReplica
from standins.private_redis import RedisServer

JOB = "train-redis"
LINES = 120


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    if not RedisServer.is_installed():
        pytest.skip("redis-server is not installed")
    made = RedisServer(tmp_path)
    made.start()
    yield made
    made.stop()


def job_of(host: Path) -> JobPaths:
    paths = DataDir(host).job(JOB)
    paths.make()
    return paths


async def publish_all(bus: RedisEventBus, paths: JobPaths) -> None:
    """Bring the bus up to the end of the journal, from wherever it stands."""
    reader, position = JournalReader(paths), reader_end(paths)
    while True:
        rows = reader.lines(after=position, limit=50)
        batch = [JournalLine(JOB, position + number, row) for number, row in enumerate(rows, 1)]
        if not batch and await bus.newest(JOB) == reader.last_seq():
            return
        try:
            await bus.publish(*batch)
            position += len(batch)
            if not batch:
                position = await bus.newest(JOB)
        except LineGap as gap:
            position = gap.newest
        except BusUnavailable:
            await asyncio.sleep(0.02)


def reader_end(paths: JobPaths) -> int:
    return max(0, JournalReader(paths).last_seq() - 20)


class Copy:
    """A subscriber that keeps a copy and, after a gap, fetches from the origin what the bus no longer has."""

    def __init__(self, bus: RedisEventBus, origin: JobPaths, copy: JobPaths) -> None:
        self.gaps = 0
        self._bus, self._origin, self._paths = bus, origin, copy

    async def keep(self) -> None:
        with JournalReplica(self._paths) as replica:
            subscription = self._bus.subscribe(JOB, after=0)
            async for event in subscription:
                if isinstance(event, Gap):
                    self.gaps += 1
                    replica.take(JournalReader(self._origin).lines(after=replica.last_seq, limit=10_000))
                elif isinstance(event, JournalLine):
                    if event.seq > replica.last_seq + 1:
                        raise AssertionError(f"line {event.seq} came after {replica.last_seq} without a gap being told")
                    replica.take([event.line])
                if replica.last_seq >= LINES:
                    return


@pytest.mark.parametrize("fault", ["killed", "flushed", "replaced", "trimmed"])
async def test_fault_24_whatever_happens_to_redis_the_copy_ends_up_as_the_journal(
    server: RedisServer, tmp_path: Path, fault: str
) -> None:
    origin, copy_place = job_of(tmp_path / "runner"), job_of(tmp_path / "api")
    bus, other = RedisEventBus(server.url), RedisEventBus(server.url)
    copy = Copy(other, origin, copy_place)
    keeping = asyncio.create_task(copy.keep())
    with JournalWriter.open(origin, service="runner", redactor=Redactor(), correlation_id="c") as journal:
        for number in range(1, LINES + 1):
            journal.append(EventName.TRAINING_STEP, "", {"step": number})
            if number in (40, 80):
                await publish_all(bus, origin)
            if number == 60:
                await strike_redis(server, bus, fault)
    async with asyncio.timeout(30):
        await publish_all(bus, origin)
        await keeping
    assert copy_place.journal.read_bytes() == origin.journal.read_bytes()
    assert len(whole_journal(copy_place.journal)) == LINES
    await bus.close()
    await other.close()


async def strike_redis(server: RedisServer, bus: RedisEventBus, fault: str) -> None:
    if fault == "trimmed":
        await bus.forget(JOB, 40)
    elif fault == "flushed":
        with contextlib.suppress(BusUnavailable):
            await bus._client.flushall()  # there is no public way to lose data
    else:  # it keeps nothing on disk: started again it is an empty one at the same address
        server.kill()
        if fault == "replaced":
            await asyncio.sleep(0.3)
        server.start()


async def test_fault_24_a_subscriber_trimmed_past_its_cursor_is_told_of_the_gap_and_refills_from_the_journal(
    server: RedisServer, tmp_path: Path
) -> None:
    origin, copy_place = job_of(tmp_path / "runner"), job_of(tmp_path / "api")
    bus = RedisEventBus(server.url)
    with JournalWriter.open(origin, service="runner", redactor=Redactor(), correlation_id="c") as journal:
        for number in range(1, LINES + 1):
            journal.append(EventName.TRAINING_STEP, "", {"step": number})
    with contextlib.suppress(LineGap):
        await bus.publish(JournalLine(JOB, 1, JournalReader(origin).lines(after=0, limit=1)[0]))
    await publish_all(bus, origin)
    await bus.forget(JOB, 100)
    copy = Copy(bus, origin, copy_place)
    async with asyncio.timeout(30):
        await copy.keep()
    assert copy.gaps == 1
    assert copy_place.journal.read_bytes() == origin.journal.read_bytes()
    await bus.close()
