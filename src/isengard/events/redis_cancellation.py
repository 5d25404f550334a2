"""Waits for redis-py without losing a cancellation.

redis-py sends by `asyncio.wait_for`. Before Python 3.12 that returns its result, and drops the cancellation, when it is
cancelled in the turn in which it is done: every sixth time on a busy connection. The task would go on as if nobody had
asked, and whoever waits for its end would wait for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

Answer = TypeVar("Answer")


async def cancellable(command: Awaitable[Answer]) -> Answer:
    """What `command` gives or raises; CancelledError if the task was cancelled meanwhile, whatever became of that."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in one
    asked = task.cancelling()
    try:
        answer = await command
    except Exception:
        if task.cancelling() > asked:
            raise asyncio.CancelledError from None
        raise
    if task.cancelling() > asked:
        raise asyncio.CancelledError
    return answer
