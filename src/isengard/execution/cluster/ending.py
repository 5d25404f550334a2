"""Ends tasks that talk to Redis: cancels them until they are over.

Once is not enough. Before Python 3.12, `asyncio.wait_for`, by which redis-py sends, swallows a cancellation that comes
in the moment in which it is done; the task then goes on as if nobody had asked, and whoever waits for it does for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN_S = 2.0
"""After how long a task that is not over is cancelled again: longer than its cleaning up takes."""


async def ended(*tasks: asyncio.Task[Any], again_s: float = AGAIN_S) -> None:
    """Cancel the tasks and wait until all are over. What they raised is dropped."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        over, left = await asyncio.wait(left, timeout=again_s)
        for task in over:
            if not task.cancelled():
                task.exception()  # or else asyncio complains that nobody looked
