"""Tasks that are cancelled while they talk to a real Redis: each of them ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from isengard.events import JournalLine, RedisEventBus
from isengard.events.redis_address import connect
from isengard.events.redis_cancellation import cancellable
from isengard.execution.cluster.messages import Mailbox
from standins.private_redis import RedisServer
from standins.workbench import PATIENCE_S

BUSY = 200


async def test_of_many_tasks_that_are_cancelled_while_they_write_none_goes_on(tmp_path: Path) -> None:
    """Before Python 3.12 some thirty of so many do, without `cancellable`."""
    server = RedisServer(tmp_path)
    server.start()
    client = connect(server.url)
    bus, mail = RedisEventBus(client), Mailbox(client)

    async def write() -> None:
        for seq in range(1, 1_000_000):
            await mail.send("somebody", "words")
            await bus.publish(JournalLine("train-a", seq, b"line"))

    try:
        await mail.send("somebody", "words")
        for number in range(BUSY):
            task = asyncio.create_task(write())
            for _ in range(5 + number % 50):
                await asyncio.sleep(0)
            task.cancel()
            over, _ = await asyncio.wait([task], timeout=PATIENCE_S)
            assert over, f"task {number} goes on"
    finally:
        await bus.close()
        server.stop()


async def swallow(begun: asyncio.Event, failure: type[Exception] | None) -> str:
    """Makes of its cancellation a result or an error, as a library may."""
    begun.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if failure is not None:
            raise failure from None
    return "done"


@pytest.mark.parametrize("failure", [None, OSError])
async def test_a_cancellation_that_was_swallowed_counts_all_the_same(failure: type[Exception] | None) -> None:
    begun = asyncio.Event()
    task = asyncio.create_task(cancellable(swallow(begun, failure)))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await cancellable(swallow(begun, failure))


async def test_who_was_not_cancelled_gets_the_answer_or_the_error() -> None:
    assert await cancellable(asyncio.sleep(0, "answer")) == "answer"
    with pytest.raises(ZeroDivisionError):
        await cancellable(fail())


async def fail() -> None:
    raise ZeroDivisionError
