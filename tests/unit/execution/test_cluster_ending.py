"""Tasks that swallow a cancellation, as those that wait for redis-py may, end all the same."""

from __future__ import annotations

import asyncio

from isengard.execution.cluster.ending import ended


async def deaf(times: int, heard: list[int]) -> None:
    for number in range(times + 1):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append(number)
            if number == times:
                raise


async def test_a_task_that_swallows_cancellations_is_cancelled_until_it_is_over() -> None:
    heard: list[int] = []
    stubborn, willing = asyncio.create_task(deaf(2, heard)), asyncio.create_task(deaf(0, []))
    await asyncio.sleep(0)
    await ended(stubborn, willing, again_s=0.01)
    assert heard == [0, 1, 2]
    assert stubborn.cancelled()
    assert willing.cancelled()


async def test_what_is_over_is_not_waited_for_and_a_failure_is_dropped() -> None:
    async def fail() -> None:
        raise ValueError

    failed = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await ended(failed)
    await ended()
    assert isinstance(failed.exception(), ValueError)
