"""The connections that hold a live stream open: their number is capped, the idle get a sign of life, the stuck are cut.

One sweep serves all of them, so that a connection costs no timer of its own.

Timeline of an ending:

- the client goes away: its connection's `receive` says so → `leave` → its loop wakes and returns
- the client does not read: its `send` waits for longer than `stall_s` → the sweep aborts the connection → as above
- the client is silent for good: the kernel gives the connection up (`half_open`) → as the first
- the client may not look any longer (its token, session or share link is over): the sweep asks → as the first
- the server stops: `close` → every loop wakes, sees `closed`, ends its response; clients come back with their position
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import Scope

from isengard.core.errors import Overloaded

Address = tuple[str, int]


class Subscriber:
    """One open stream.

    Attributes:
        position: What the client has; frames after it are next.
        gone: Whether the client went away or the server stops.
        client: The peer's address, where the server tells it.
    """

    __slots__ = (
        "_asked_at",
        "_beat_due",
        "_sending_since",
        "_stands",
        "_waiter",
        "client",
        "gone",
        "last_sent",
        "position",
    )

    def __init__(self, client: Address | None, stands: Callable[[], bool]) -> None:
        self.position = 0
        self.gone = False
        self.client = client
        self._stands = stands
        self._asked_at = time.monotonic()
        self.last_sent = time.monotonic()
        self._beat_due = False
        self._sending_since: float | None = None
        self._waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """End a `wait` now."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> bool:
        """Sleep until woken; whether a sign of life is due. Who is gone does not wait: nobody will wake them again."""
        if self.gone:
            return False
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        due, self._beat_due = self._beat_due, False
        return due

    def leave(self) -> None:
        """Note that the client is gone and end its loop."""
        self.gone = True
        self.wake()

    def begin_send(self) -> None:
        """Say before a send that one begins, so that the sweep sees one that does not come back."""
        self._sending_since = time.monotonic()

    def end_send(self) -> None:
        """Say after a send that the client took it."""
        self._sending_since = None
        self.last_sent = time.monotonic()

    def beat(self, now: float, heartbeat_s: float) -> None:
        """Have a sign of life sent if nothing was for `heartbeat_s`."""
        if self._sending_since is None and now - self.last_sent >= heartbeat_s:
            self._beat_due = True
            self.wake()

    def may_stay(self, now: float, ask_every_s: float) -> bool:
        """Whether the client may still look, as far as is known or was not asked for `ask_every_s`."""
        if now - self._asked_at < ask_every_s:
            return True
        self._asked_at = now
        return self._stands()

    def is_stuck(self, now: float, stall_s: float) -> bool:
        """Whether one send has waited for the client for longer than `stall_s`."""
        return self._sending_since is not None and now - self._sending_since > stall_s


class Subscribers:
    """All open streams of this process.

    Args:
        limit: How many there may be.
        heartbeat_s: A sign of life is sent after so many seconds without a frame; as often it is asked who may stay.
        stall_s: A client that has not taken a send for so many seconds is cut off.

    Attributes:
        abort: How to cut a connection; the server that owns the connections sets it.
    """

    def __init__(self, *, limit: int, heartbeat_s: float, stall_s: float) -> None:
        self._limit = limit
        self._heartbeat_s = heartbeat_s
        self._stall_s = stall_s
        self._open: set[Subscriber] = set()
        self._sweep: asyncio.Task[None] | None = None
        self.closed = False
        self.abort: Callable[[Address], None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def admit(self, scope: Scope) -> Iterator[Subscriber]:
        """A place for the stream that `scope` asks for; raises `Overloaded` when all are taken or the server stops."""
        if self.closed:
            raise Overloaded("this server is shutting down", retry_after_s=2)
        if len(self._open) >= self._limit:
            raise Overloaded(
                f"all {self._limit} streams of this server are in use (ISENGARD_MAX_STREAMS, limit of open files)",
                retry_after_s=5,
            )
        subscriber = Subscriber(scope.get("client"), scope.get("state", {}).get("stands", _always))
        self._open.add(subscriber)
        if self._sweep is None or self._sweep.done():
            self._sweep = asyncio.get_running_loop().create_task(self._sweep_on(), name="stream-sweep")
        try:
            yield subscriber
        finally:
            self._open.discard(subscriber)

    def close(self) -> None:
        """End every stream; safe to call twice."""
        self.closed = True
        for subscriber in list(self._open):
            subscriber.leave()
        if self._sweep is not None:
            self._sweep.cancel()

    async def _sweep_on(self) -> None:
        while self._open:
            await asyncio.sleep(min(self._heartbeat_s, self._stall_s) / 4)
            now = time.monotonic()
            for subscriber in list(self._open):
                subscriber.beat(now, self._heartbeat_s)
                if not subscriber.may_stay(now, self._heartbeat_s):
                    subscriber.leave()
                if subscriber.is_stuck(now, self._stall_s):
                    self._cut(subscriber)

    def _cut(self, subscriber: Subscriber) -> None:
        subscriber.gone = True
        if self.abort is not None and subscriber.client is not None:
            self.abort(subscriber.client)


def _always() -> bool:
    return True
