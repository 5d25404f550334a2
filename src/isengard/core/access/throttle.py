"""Slows down guessing: after a few failures an address has to wait, longer each time. Bounded in memory.

Of IPv6 a whole /64 counts as one address: a single machine may use all of it.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from isengard.core.errors import RateLimited

FREE_FAILURES = 5
FORGOTTEN_AFTER_S = 3600
LONGEST_WAIT_S = 900
_MOST_ADDRESSES = 10_000


class FailureThrottle:
    """Counts failures by address.

    Args:
        clock: Seconds on a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, address: str) -> None:
        """Raise `RateLimited` while `address` has to wait."""
        count, since = self._failures.get(_neighbourhood(address), (0, 0.0))
        left = since + _wait(count) - self._clock()
        if left > 0:
            seconds = max(1, round(left))
            raise RateLimited(f"too many failed logins; try again in {seconds} s", retry_after_s=seconds)

    def failed(self, address: str) -> None:
        """Note a failure."""
        place = _neighbourhood(address)
        with self._lock:
            count, since = self._failures.pop(place, (0, 0.0))
            now = self._clock()
            self._failures[place] = (1 if now - since > FORGOTTEN_AFTER_S else count + 1, now)
            while len(self._failures) > _MOST_ADDRESSES:
                self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address."""
        with self._lock:
            self._failures.pop(_neighbourhood(address), None)


def _neighbourhood(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4 or parsed.ipv4_mapped:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _wait(failures: int) -> float:
    return 0.0 if failures < FREE_FAILURES else min(LONGEST_WAIT_S, 2.0 ** (failures - FREE_FAILURES))
