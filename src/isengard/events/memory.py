"""The event bus of one process: bounded rings in memory, one a job. Use it from one event loop."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from itertools import islice
from typing import Self
from weakref import WeakSet

from isengard.events.bus import After, BusEvent, Gap, JournalLine, LineGap, Received, Subscription
from isengard.events.models import TrainingProgressEvent


class InMemoryEventBus:
    """Keeps the newest events of each job, and of all jobs together.

    Args:
        capacity: How many events are kept of each job, and of all together for those who subscribe to all.
        jobs: How many jobs are remembered; the one longest without news goes first.
    """

    def __init__(self, capacity: int = 4096, jobs: int = 1024) -> None:
        self._capacity = capacity
        self._max_jobs = jobs
        self._jobs: OrderedDict[str, _Ring] = OrderedDict()
        self._all = _Ring(capacity)
        self._subscriptions: WeakSet[_Listener] = WeakSet()  # whoever stops listening just drops its own

    async def publish(self, *events: BusEvent) -> None:
        """Publish events in their order; raises `LineGap`."""
        try:
            for event in events:
                ring = self._ring(event.job_id)
                if ring.accepts(event):
                    ring.append(event)
                    self._all.append(event)
        finally:
            for subscription in list(self._subscriptions):
                subscription.wake()

    def subscribe(self, job_id: str | None = None, after: After | None = None) -> Subscription:
        """Everything of one job, or of all, from the call on."""
        ring = self._all if job_id is None else self._ring(job_id)
        return _Listener(self._subscriptions, ring, job_id, after)

    async def history(self, job_id: str, limit: int = 100) -> list[BusEvent]:
        """The last `limit` events of the job, oldest first."""
        events = self._jobs[job_id].events if job_id in self._jobs else deque[BusEvent]()
        return list(islice(events, max(0, len(events) - limit), None))

    async def newest(self, job_id: str) -> int:
        """Number of the job's newest line."""
        return self._jobs[job_id].newest if job_id in self._jobs else 0

    async def forget(self, job_id: str, upto: int) -> None:
        """Let go of the job's lines up to number `upto`."""
        self._ring(job_id).forget(upto)

    async def rewind(self, job_id: str, after: int) -> None:
        """Let go of the job's lines and expect the one behind `after` next."""
        ring = self._ring(job_id)
        ring.forget(ring.newest)
        ring.newest = after

    async def close(self) -> None:
        """End all subscriptions."""
        for subscription in list(self._subscriptions):
            subscription.end()

    def _ring(self, job_id: str) -> _Ring:
        if job_id not in self._jobs:
            self._jobs[job_id] = _Ring(self._capacity)
            if len(self._jobs) > self._max_jobs:
                self._jobs.popitem(last=False)
        self._jobs.move_to_end(job_id)
        return self._jobs[job_id]


class _Ring:
    """The newest events in a row; `start` counts those that fell out."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.events: deque[BusEvent] = deque()
        self.start = 0
        self.newest = 0

    @property
    def end(self) -> int:
        return self.start + len(self.events)

    def accepts(self, event: BusEvent) -> bool:
        """Whether the event is news; raises `LineGap` for a line that does not follow."""
        if not isinstance(event, JournalLine):
            return True
        if event.seq <= self.newest:
            return False
        if event.seq != self.newest + 1:
            raise LineGap(event.job_id, self.newest)
        self.newest = event.seq
        return True

    def append(self, event: BusEvent) -> None:
        self.events.append(event)
        if len(self.events) > self._capacity:
            self.events.popleft()
            self.start += 1

    def forget(self, upto: int) -> None:
        """Drop from the front up to and with line `upto`."""
        last = max((n for n, e in enumerate(self.events) if isinstance(e, JournalLine) and e.seq <= upto), default=-1)
        for _ in range(last + 1):
            self.events.popleft()
        self.start += last + 1
        self.newest = max(self.newest, upto)


class _Listener:
    """Stands at a place of a ring; holds no events."""

    def __init__(self, registered: WeakSet[_Listener], ring: _Ring, job_id: str | None, after: After | None) -> None:
        self._registered = registered
        self._ring = ring
        self._job_id = job_id
        self._seqs: dict[str, int] = {}
        self._after = after
        self._position = ring.end if after is None else ring.start
        self._replay_until = ring.end
        self._woken = asyncio.Event()
        self._ended = False
        registered.add(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Received:
        while not self._ended:
            received = self._next()
            if received is not None:
                return received
            self._woken.clear()
            await self._woken.wait()
        raise StopAsyncIteration

    async def ready(self) -> None:
        """Nothing to wait for: it listens since it was made."""

    def wake(self) -> None:
        self._woken.set()

    def end(self) -> None:
        self._ended = True
        self._registered.discard(self)
        self.wake()

    async def aclose(self) -> None:
        """Stop listening."""
        self.end()

    def _next(self) -> Received | None:
        """What comes next for this subscriber, if it is there."""
        if self._position < self._ring.start:
            return self._fell_behind()
        while self._position < self._ring.end:
            event = self._ring.events[self._position - self._ring.start]
            received = self._judge_line(event) if isinstance(event, JournalLine) else self._judge_event(event)
            if not isinstance(received, Gap):
                self._position += 1
            if received is not None:
                return received
        return None

    def _fell_behind(self) -> Gap:
        """The ring has moved on: whatever comes next is taken as it is."""
        seen = None if self._job_id is None else self._seen(self._job_id)
        self._position = self._replay_until = self._ring.start
        self._seqs.clear()
        self._after = None
        return Gap(self._job_id, seen)

    def _judge_event(self, event: TrainingProgressEvent) -> TrainingProgressEvent | None:
        return event if self._position >= self._replay_until else None

    def _judge_line(self, event: JournalLine) -> JournalLine | Gap | None:
        """The line, a `Gap` that has to come before it, or None if this subscriber has it."""
        seen = self._seen(event.job_id)
        if seen is not None and event.seq <= seen:
            return None
        if seen is not None and event.seq > seen + 1:
            self._seqs[event.job_id] = event.seq - 1
            return Gap(event.job_id, seen)
        self._seqs[event.job_id] = event.seq
        return event

    def _seen(self, job_id: str) -> int | None:
        if job_id not in self._seqs and self._after is not None:
            self._seqs[job_id] = self._after(job_id) if callable(self._after) else self._after
        return self._seqs.get(job_id)
