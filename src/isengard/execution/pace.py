"""How fast a run goes and when it will be over, from the steps as they come. Uses a clock that never goes back."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_WINDOW_STEPS = 50
_WINDOW_S = 30.0


class Pace:
    """Steps a second over the last steps, and the time left at the run's own average, pauses for samples included.

    Args:
        clock: Seconds on a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._recent: deque[tuple[float, int]] = deque(maxlen=_WINDOW_STEPS)
        self._first: tuple[float, int] | None = None

    def step(self, step: int) -> None:
        """`step` is done."""
        now = self._clock()
        if self._first is None or step <= self._recent[-1][1]:
            self._first = (now, step)
            self._recent.clear()
        self._recent.append((now, step))
        while len(self._recent) > 2 and now - self._recent[0][0] > _WINDOW_S:
            self._recent.popleft()

    @property
    def it_per_s(self) -> float | None:
        """Optimizer steps a second; None before the second step."""
        return _rate(self._recent[0], self._recent[-1]) if len(self._recent) > 1 else None

    def eta_s(self, steps_total: int) -> float | None:
        """Seconds until `steps_total` steps are done; None before the second step."""
        if self._first is None or not self._recent:
            return None
        average = _rate(self._first, self._recent[-1])
        return None if average is None else round(max(0, steps_total - self._recent[-1][1]) / average, 1)


def _rate(earlier: tuple[float, int], later: tuple[float, int]) -> float | None:
    seconds, steps = later[0] - earlier[0], later[1] - earlier[1]
    return round(steps / seconds, 4) if seconds > 0 and steps > 0 else None
