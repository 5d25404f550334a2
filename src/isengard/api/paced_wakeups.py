"""When waiting clients are woken: at once while there are few, in spaced rounds while there are many.

A wake-up and a ``send`` cost the same for one frame as for ten. With a thousand clients a round every 74 ms carries
several frames to each, which is what keeps the cost of one delivery low; with few clients nothing waits.
"""

from __future__ import annotations

import asyncio
import time

from isengard.api.subscribers import Subscriber, Subscribers

_UNPACED_CLIENTS = 16
_PACE_PER_CLIENT_S = 75e-6
_LONGEST_PACE_S = 0.25


def pace_s(clients: int) -> float:
    """Seconds between two rounds when news comes faster than that."""
    return min(_LONGEST_PACE_S, max(0, clients - _UNPACED_CLIENTS) * _PACE_PER_CLIENT_S)


class PacedWakeups:
    """The clients that wait for one source of news.

    Args:
        subscribers: All open streams of the process; their number sets the pace.
    """

    def __init__(self, subscribers: Subscribers) -> None:
        self._subscribers = subscribers
        self._waiting: set[Subscriber] = set()
        self._next = 0.0
        self._due: asyncio.TimerHandle | None = None

    async def wait(self, subscriber: Subscriber) -> bool:
        """Sleep until the next round, or until a sign of life is due: then True."""
        self._waiting.add(subscriber)
        try:
            return await subscriber.wait()
        finally:
            self._waiting.discard(subscriber)

    def announce(self) -> None:
        """There is news: start a round now, or when the pace allows the next."""
        if self._due is not None:
            return
        delay = self._next - time.monotonic()
        if delay <= 0:
            self.wake_all()
        else:
            self._due = asyncio.get_running_loop().call_later(delay, self.wake_all)

    def wake_all(self) -> None:
        """Start a round."""
        self.stop()
        self._next = time.monotonic() + pace_s(len(self._subscribers))
        for subscriber in self._waiting:
            subscriber.wake()

    def stop(self) -> None:
        """Forget a round that is due."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
