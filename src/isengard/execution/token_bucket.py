"""How much output reaches the journal: a bucket of tokens that refills. What is over is counted, never kept."""

from __future__ import annotations

import time
from collections.abc import Callable


class TokenBucket:
    """Lets `burst` things through at once and `per_second` in the long run.

    Args:
        clock: Seconds on a clock that never goes back.
    """

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._at = clock()

    def take(self, wanted: int = 1) -> bool:
        """Take `wanted` tokens, all or none."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        if self._tokens < wanted:
            return False
        self._tokens -= wanted
        return True
