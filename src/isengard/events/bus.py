"""The event bus: carries what happens in jobs to whoever is interested, in this process or on another host.

Two kinds of things travel on it:

- `JournalLine`: a numbered line of a job's journal. Lines of a job come in order, each once, without gaps: publishing
  one that the bus has is ignored, publishing one that does not follow the newest raises `LineGap`, which tells the
  publisher where to go on from. So a publisher that was cut off, or whose bus lost its memory, asks nothing and
  repeats nothing: it follows its own journal from `EventBus.newest` or from where a `LineGap` sends it.
- `TrainingProgressEvent`: for code that has no journal. Delivered to those who are there, and kept for `history`.

A subscriber holds a position, not a queue. One that is too slow for what the bus keeps is told so by a `Gap` and reads
the journal; nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from isengard.core.errors import Conflict, IsengardError
from isengard.events.models import TrainingProgressEvent


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line of a job's journal, as it is.

    Attributes:
        seq: Its number.
        line: Its bytes without the line feed.
    """

    job_id: str
    seq: int
    line: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """Something was published that this subscriber will not get from the bus.

    Attributes:
        job_id: Of which job; None for a subscriber to all, who has to look at each.
        after: Number of the last line of the job that the subscriber has; its journal has the rest. None with `job_id`.
    """

    job_id: str | None
    after: int | None


BusEvent = TrainingProgressEvent | JournalLine
Received = TrainingProgressEvent | JournalLine | Gap
After = int | Callable[[str], int]
"""The number of the last line a subscriber has; for a subscriber to all jobs a function of the job's id."""


class LineGap(Conflict):
    """A line was published that does not follow the newest on the bus.

    Args:
        newest: Number of the newest line the bus has of the job: go on with the next.
    """

    def __init__(self, job_id: str, newest: int) -> None:
        super().__init__(f"the bus has the lines of {job_id} up to number {newest}; the next one has to follow")
        self.job_id = job_id
        self.newest = newest


class BusUnavailable(IsengardError):
    """The bus cannot be reached; try again later, nothing was lost but may have been published."""


class Subscription(Protocol):
    """What one subscriber gets; iterate over it with ``async for``. Dropping it ends it."""

    def __aiter__(self) -> AsyncIterator[Received]: ...

    async def __anext__(self) -> Received: ...

    async def ready(self) -> None:
        """Wait until nothing that is published from now on can be missed; iterating does so by itself."""
        ...

    async def aclose(self) -> None:
        """Stop listening; whoever waits for the next event gets the end."""
        ...


class EventBus(Protocol):
    """What every bus offers."""

    async def publish(self, *events: BusEvent) -> None:
        """Publish events in their order.

        Raises:
            LineGap: A line does not follow its job's newest; those before it were published.
            BusUnavailable: The bus cannot be reached.
        """
        ...

    def subscribe(self, job_id: str | None = None, after: After | None = None) -> Subscription:
        """Everything of one job, or of all, from when it is `ready` on, without end.

        With `after` first the lines behind that number, as far as the bus has them: a `Gap` comes before the first if
        it does not. Lines up to it do not come.
        """
        ...

    async def history(self, job_id: str, limit: int = 100) -> list[BusEvent]:
        """The last `limit` things published about the job that the bus still has, oldest first."""
        ...

    async def newest(self, job_id: str) -> int:
        """Number of the newest line of the job that the bus has or had; 0 if it knows of none."""
        ...

    async def forget(self, job_id: str, upto: int) -> None:
        """Let go of the job's lines up to number `upto`: whoever needed them has them safe."""
        ...

    async def rewind(self, job_id: str, after: int) -> None:
        """Let go of all the job's lines so that its publisher publishes again from behind line `after`."""
        ...

    async def close(self) -> None:
        """Let go of connections; subscriptions end."""
        ...
