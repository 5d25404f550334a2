"""One subscriber to the bus over Redis: blocks in XREAD, finds gaps, survives an unreachable server."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, Self

from isengard.events.bus import After, Gap, JournalLine, Received
from isengard.events.redis_cancellation import cancellable
from isengard.events.redis_wire import Keys, decode, streams_of

_log = logging.getLogger(__name__)

_BLOCK_MS = 5000
_COUNT = 500
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 5.0


class Listener:
    """Stands at a place of each stream it reads; see `bus.Subscription`."""

    def __init__(self, client: Any, keys: Keys, job_id: str | None, after: After | None) -> None:
        self._client = client
        self._keys = keys
        self._job_id = job_id
        self._after = after
        self._places: dict[str, bytes] = {}
        self._lines_seen: dict[str, int] = {}
        self._events_seen: dict[str, int] = {}
        self._received: deque[Received] = deque()
        self._reading: asyncio.Task[Any] | None = None
        self._is_ready = False
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Received:
        await self.ready()
        while not self._received and not self._ended:
            self._take(await self._patiently(self._read))
        if not self._received:
            raise StopAsyncIteration
        return self._received.popleft()

    async def ready(self) -> None:
        """Find the place to begin at."""
        if not self._is_ready:
            await self._patiently(self._begin)
            self._is_ready = True

    async def aclose(self) -> None:
        """Stop listening."""
        self._ended = True
        if self._reading is not None:
            self._reading.cancel()

    async def _begin(self) -> None:
        if self._job_id is not None:
            await self._enter(self._job_id)
            return
        entries = await self._client.xrange(self._keys.jobs)
        self._places[self._keys.jobs] = entries[-1][0] if entries else b"0-0"
        for job_id in dict.fromkeys(body[b"j"].decode() for _, body in entries):
            await self._enter(job_id)

    async def _enter(self, job_id: str) -> None:
        """Stand at the end of a job's streams, or behind the line that `after` says."""
        lines, events = self._keys.streams(job_id)
        self._places[events] = await self._last_id(events)
        if not self._enter_behind(job_id):
            self._places[lines] = await self._last_id(lines)

    def _enter_new(self, job_id: str) -> None:
        """Stand at the start of the streams of a job that just began."""
        lines, events = self._keys.streams(job_id)
        self._places.setdefault(events, b"0-0")
        if lines not in self._places and not self._enter_behind(job_id):
            self._places[lines] = b"0-0"

    def _enter_behind(self, job_id: str) -> bool:
        after = self._after(job_id) if callable(self._after) else self._after
        if after is None:
            return False
        self._lines_seen[job_id] = after
        self._places[self._keys.lines(job_id)] = b"%d-0" % after
        return True

    async def _last_id(self, stream: str) -> bytes:
        from redis.exceptions import ResponseError

        try:
            info = await self._client.xinfo_stream(stream)
        except ResponseError:  # there is no such stream yet
            return b"0-0"
        last: bytes = info["last-generated-id"]
        return last

    async def _read(self) -> Any:
        return await self._client.xread(self._places, count=_COUNT, block=_BLOCK_MS)

    async def _patiently(self, step: Any) -> Any:
        """Do `step`; wait for the server while it cannot be reached. None once ended."""
        from redis.exceptions import RedisError

        pause = _FIRST_PAUSE_S
        while not self._ended:
            self._reading = asyncio.ensure_future(cancellable(step()))
            try:
                return await self._reading
            except asyncio.CancelledError:
                if not self._ended:
                    raise
            except (RedisError, OSError) as error:
                _log.warning("Redis does not answer, trying again in %.2f s: %s", pause, error)
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE_S, 2 * pause)
            finally:
                self._reading = None
        return None

    def _take(self, answer: Any) -> None:
        for stream, entries in streams_of(answer):
            for entry_id, body in entries:
                self._places[stream] = entry_id
                if stream == self._keys.jobs:
                    self._enter_new(body[b"j"].decode())
                else:
                    self._take_entry(self._keys.job_of(stream), entry_id, body)

    def _take_entry(self, job_id: str, entry_id: bytes, body: dict[bytes, bytes]) -> None:
        """Keep the event for the subscriber, behind a `Gap` if there should have been others before it."""
        (count, _, seq), event = decode(job_id, entry_id, body)
        seen, number = (self._lines_seen, seq) if isinstance(event, JournalLine) else (self._events_seen, count)
        if job_id in seen and number != seen[job_id] + 1:
            self._received.append(Gap(job_id, self._lines_seen.get(job_id)))
        seen[job_id] = number
        self._received.append(event)
