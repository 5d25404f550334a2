"""What this process counts of its answers. Every label is from a closed set (routes, methods), never what clients send.

One object per application, so that two applications in a process do not share counts. How a monitor is told the counts
is `exposition.py`'s.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isengard.api.readings import Readings

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of durations in seconds; a last bucket takes what is longer."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"})
_LIVE = ("/stream", "/ws")


@dataclass(slots=True)
class Durations:
    """How long answers took: how many fell into each of `BUCKETS` and the one beyond, and their sum in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    sum_s: float = 0.0

    def add(self, took_s: float) -> None:
        """Count one answer."""
        self.counts[bisect_left(BUCKETS, took_s)] += 1
        self.sum_s += took_s


class Figures:
    """What this process counts.

    Args:
        read: Gives what is looked up when the figures are asked for.

    Attributes:
        answers: How many there were, by method, route and status.
        durations: From request to the end of its answer, live streams left out, by method and route.
    """

    def __init__(self, read: Callable[[], Readings]) -> None:
        self._read = read
        self.answers: Counter[tuple[str, str, str]] = Counter()
        self.durations: dict[tuple[str, str], Durations] = {}

    def observe(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count one answer; `route` is a route's template or ``unmatched``."""
        method = method if method in _METHODS else "other"
        self.answers[method, route, str(status)] += 1
        if not route.endswith(_LIVE):
            self.durations.setdefault((method, route), Durations()).add(took_s)

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        from isengard.api.exposition import render  # noqa: PLC0415 - 25 ms of a start that nobody may ever scrape

        return render(self, self._read())
