"""How fast a run goes and when it will be over, samples and saves to come included. Uses a clock that never goes back.

A step costs what steps have cost, pauses left out; a sampling and a save cost what those of this run have cost so far,
as often as the job's schedule still has them. Of what has not happened yet nothing is known, so it counts nothing.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_WINDOW_STEPS = 50
_WINDOW_S = 30.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """Every how many steps a run samples and saves; 0 for never. Who samples at all does so once more at the end."""

    sample_every: int = 0
    save_every: int = 0

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Schedule:
        """What a job's parameters say."""
        return cls(_whole(config.get("sample_every_n_steps")), _whole(config.get("checkpoint_every_n_steps")))

    def samplings_after(self, step: int, total: int) -> int:
        """Samplings still to come."""
        return _multiples(step, total - 1, self.sample_every) + 1 if self.sample_every else 0

    def saves_after(self, step: int, total: int) -> int:
        """Saves still to come, the final one included."""
        return _multiples(step, total - 1, self.save_every) + 1


@dataclass(slots=True)
class _Mean:
    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        self.total += value
        self.count += 1

    @property
    def value(self) -> float:
        return self.total / self.count if self.count else 0.0


class Throughput:
    """Steps a second over the last steps, and the time left.

    Args:
        clock: Seconds on a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, schedule: Schedule | None = None) -> None:
        self._clock = clock
        self._schedule = schedule or Schedule()
        self._recent: deque[tuple[float, int]] = deque(maxlen=_WINDOW_STEPS)
        self._first: tuple[float, int] | None = None
        self._paused = 0.0
        self._sampling, self._saving = _Mean(), _Mean()
        self._has_sampled = self._has_saved = False
        self._begun_sampling: float | None = None

    def step(self, step: int) -> None:
        """`step` is done. Said again, of further figures or because the disk refused its line, it is not done again."""
        now = self._clock()
        if self._recent and step == self._recent[-1][1]:
            return
        if self._first is None or step < self._recent[-1][1]:
            self._begin(now, step)
        else:
            self._account(now, step)
        self._has_sampled = self._has_saved = False
        self._recent.append((now, step))
        while len(self._recent) > 2 and now - self._recent[0][0] > _WINDOW_S:
            self._recent.popleft()

    def samples(self) -> None:
        """The run is sampling, or has just made a sample."""
        self._has_sampled = True
        if self._first is None and self._begun_sampling is None:
            self._begun_sampling = self._clock()

    def saved(self) -> None:
        """A checkpoint was written."""
        self._has_saved = True

    @property
    def it_per_s(self) -> float | None:
        """Optimizer steps a second; None before the second step."""
        return _rate(self._recent[0], self._recent[-1]) if len(self._recent) > 1 else None

    def eta_s(self, steps_total: int) -> float | None:
        """Seconds until the end of the run; None before the second step."""
        step_s = self._step_s()
        if step_s is None:
            return None
        step = self._recent[-1][1]
        ahead = self._schedule.samplings_after(step, steps_total) * self._sampling.value
        ahead += self._schedule.saves_after(step, steps_total) * self._saving.value
        return round(max(0, steps_total - step) * step_s + ahead, 1)

    def _begin(self, now: float, step: int) -> None:
        if self._begun_sampling is not None and self._first is None:
            self._sampling.add(now - self._begun_sampling)  # the samples of the untrained model
        self._first = (now, step)
        self._paused = 0.0
        self._recent.clear()

    def _account(self, now: float, step: int) -> None:
        """Tell apart what the steps took and what sampling or saving took."""
        if not (self._has_sampled or self._has_saved):
            return
        then, last = self._recent[-1]
        pause = max(0.0, now - then - (step - last) * (self._step_s() or 0.0))
        self._paused += pause
        (self._sampling if self._has_sampled else self._saving).add(pause)

    def _step_s(self) -> float | None:
        if self._first is None or len(self._recent) < 2:
            return None
        steps = self._recent[-1][1] - self._first[1]
        return max(0.0, self._recent[-1][0] - self._first[0] - self._paused) / steps


def _rate(earlier: tuple[float, int], later: tuple[float, int]) -> float | None:
    seconds, steps = later[0] - earlier[0], later[1] - earlier[1]
    return round(steps / seconds, 4) if seconds > 0 and steps > 0 else None


def _multiples(after: int, until: int, every: int) -> int:
    """How many multiples of `every` there are behind `after` up to `until`."""
    return max(0, until // every - after // every) if every else 0


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
