"""The event bus over Redis Streams, for jobs that run on other hosts than the API.

Keys, all below one hash tag so that they share a cluster's slot:

    {isengard}:lines:JOB    stream of the journal's lines; line 118 has the id 118-0, so Redis itself keeps their order
    {isengard}:events:JOB   stream of events without a number, with ids made by Redis
    {isengard}:count:JOB    how many of those there were, to see a gap; lines note it, for the order among both kinds
    {isengard}:jobs         stream of ids of jobs that began to publish, for those who subscribe to all

Streams are cut to `capacity` entries and go away after `KEEP_S` without news. Whatever Redis loses (a restart, a
failover, a cut too early) shows: a publisher meets `LineGap` and goes on from there, a subscriber meets a `Gap`.
Publishing is a network call: it never belongs on a training step's path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from typing import Any, TypeVar
from weakref import WeakSet

import orjson

from isengard.events.bus import After, BusEvent, BusUnavailable, JournalLine, LineGap, Subscription
from isengard.events.redis_address import close, connect
from isengard.events.redis_cancellation import cancellable
from isengard.events.redis_listener import Listener
from isengard.events.redis_wire import KEEP_S, Keys, Scripts, decode

Answer = TypeVar("Answer")

_BATCH = 200
_PAUSES_S = (0.0, 0.1, 0.4)


class RedisEventBus:
    """A bus over a Redis server, Sentinel or cluster. Use it from one event loop.

    Args:
        client: The server's address as `redis_address.py` knows them, or a `redis.asyncio` client made by redis-py's
            own means (Sentinel, cluster, TLS, ACL).
        capacity: About how many entries of each job's streams are kept.
        prefix: The hash tag all keys begin with.

    Raises:
        StartupError: The address makes no sense, or redis-py is not installed.
    """

    def __init__(self, client: Any, *, capacity: int = 100_000, prefix: str = "{isengard}") -> None:
        client = connect(client) if isinstance(client, str) else client
        self._client = client
        self._capacity = capacity
        self._keys = Keys(prefix)
        self._scripts = Scripts(client)
        self._listeners: WeakSet[Listener] = WeakSet()

    async def publish(self, *events: BusEvent) -> None:
        """Publish events in their order; raises `LineGap` and `BusUnavailable`."""
        for (job_id, is_line), group in groupby(events, key=lambda e: (e.job_id, isinstance(e, JournalLine))):
            members = list(group)
            for start in range(0, len(members), _BATCH):
                batch = members[start : start + _BATCH]
                await (self._publish_lines(job_id, batch) if is_line else self._publish_events(job_id, batch))

    async def _publish_lines(self, job_id: str, batch: Sequence[Any]) -> None:
        """Publish lines of one job; a stretch that is not in a row is published up to its first gap."""
        first: int = batch[0].seq
        row = [line for number, line in enumerate(batch) if line.seq == first + number]
        arguments = [first, self._capacity, KEEP_S, job_id, *(line.line for line in row)]
        newest = await self._call(lambda: self._scripts.lines(self._keys.of(job_id), arguments))
        if newest < first - 1:
            raise LineGap(job_id, newest)
        if len(row) < len(batch):
            await self._publish_lines(job_id, batch[len(row) :])

    async def _publish_events(self, job_id: str, batch: Sequence[Any]) -> None:
        bodies = [orjson.dumps(event.to_dict(), option=orjson.OPT_SERIALIZE_NUMPY) for event in batch]
        arguments = [self._capacity, KEEP_S, job_id, *bodies]
        await self._once(lambda: self._scripts.events(self._keys.of(job_id), arguments))

    def subscribe(self, job_id: str | None = None, after: After | None = None) -> Subscription:
        """Everything of one job, or of all. An unreachable server is waited for."""
        listener = Listener(self._client, self._keys, job_id, after)
        self._listeners.add(listener)
        return listener

    async def history(self, job_id: str, limit: int = 100) -> list[BusEvent]:
        """The last `limit` events of the job, oldest first."""
        if limit <= 0:
            return []
        found: list[tuple[tuple[int, int, int], BusEvent]] = []
        for key in self._keys.streams(job_id):
            for entry_id, body in await self._call(partial(self._client.xrevrange, key, count=limit)):
                found.append(decode(job_id, entry_id, body))
        found.sort(key=lambda item: item[0])
        return [event for _, event in found[-limit:]]

    async def newest(self, job_id: str) -> int:
        """Number of the job's newest line."""
        return int(await self._call(lambda: self._scripts.newest(self._keys.of(job_id))))

    async def forget(self, job_id: str, upto: int) -> None:
        """Let go of the job's lines up to number `upto`."""
        await self._call(lambda: self._client.xtrim(self._keys.lines(job_id), minid=f"{upto + 1}-0", approximate=False))

    async def rewind(self, job_id: str, after: int) -> None:
        """Let go of the job's lines and expect the one behind `after` next."""
        await self._call(lambda: self._scripts.rewind(self._keys.of(job_id), [after, KEEP_S]))

    async def close(self) -> None:
        """End all subscriptions and close the connections."""
        for listener in list(self._listeners):
            await listener.aclose()
        await close(self._client)

    async def _call(self, command: Callable[[], Awaitable[Answer]]) -> Answer:
        """Do what may be done twice, and try again if the connection breaks: the server may just have restarted."""
        for pause in _PAUSES_S:
            with suppress(BusUnavailable):
                return await self._once(command)
            await asyncio.sleep(pause)
        return await self._once(command)

    async def _once(self, command: Callable[[], Awaitable[Answer]]) -> Answer:
        from redis.exceptions import RedisError

        try:
            return await cancellable(command())
        except (RedisError, OSError) as error:
            raise BusUnavailable(f"Redis does not answer: {error}") from error
