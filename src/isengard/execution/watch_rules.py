"""Watches over a run: says when something looks wrong before it has failed. Never ends or changes a run.

Fed by the runner with what it records anyway; answers with warnings that carry their figures. Each trouble is told
once, and again only after it had passed. The rules lean to silence: on a healthy run none of them speaks.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from isengard.events.models import GPUMetrics, TrainingStage


@dataclass(frozen=True, slots=True)
class Concern:
    """One warning: its rule's name, a sentence, and the figures behind it."""

    rule: str
    message: str
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """When a rule speaks.

    Attributes:
        stall_factor: A step is late after this many usual step times …
        stall_min_s: … but never sooner than this.
        explode_factor: The smoothed loss is exploding at this multiple of its lowest value so far.
        idle_pct: A GPU below this utilisation is idle …
        idle_s: … once it has been so for this long while the training holds memory on it.
        disk_free_mb: The disk is nearly full below this many MiB.
        eta_factor: The end is far off when the whole run will take this multiple of its first estimate.
    """

    stall_factor: float = 10.0
    stall_min_s: float = 60.0
    explode_factor: float = 5.0
    idle_pct: float = 5.0
    idle_s: float = 180.0
    disk_free_mb: float = 2048.0
    eta_factor: float = 2.0


class RunWatch:
    """The rules over one attempt. All times are seconds of one monotonic clock.

    Args:
        limits: When the rules speak.
        started: The time of the attempt's start.
    """

    _WINDOW = 50
    _SETTLED = 200
    """Steps before the loss counts as settled: a training's first steps may do anything."""

    def __init__(self, limits: Limits, started: float) -> None:
        self._limits = limits
        self._told: set[str] = set()
        self._stage: TrainingStage | None = None
        self._last_step_at = started
        self._durations: deque[float] = deque(maxlen=self._WINDOW)
        self._losses: deque[float] = deque(maxlen=self._WINDOW)
        self._lowest = math.inf
        self._steps = 0
        self._busy_at = started
        self._started = started
        self._first_step: int | None = None
        self._first_estimate: float | None = None

    def on_stage(self, stage: TrainingStage, now: float) -> None:
        """A stage begins; time outside of training is no step's time."""
        if stage is not self._stage:
            self._last_step_at = self._busy_at = now
        self._stage = stage

    def on_step(self, step: int, total: int | None, loss: float | None, now: float) -> Iterator[Concern]:
        """A step is done; `loss` is None where the trainer gave none or one that is not a number."""
        self._told.discard("stall")
        if self._steps and self._stage is TrainingStage.TRAINING:
            self._durations.append(now - self._last_step_at)
        self.on_stage(TrainingStage.TRAINING, now)
        self._last_step_at = now
        self._steps += 1
        if loss is not None and math.isfinite(loss):
            yield from self._judge_loss(step, loss)
        yield from self._judge_eta(step, total, now)

    def on_bad_loss(self, step: int) -> Iterator[Concern]:
        """The loss of a step is not a number."""
        yield from self._tell("nan", True, f"the loss of step {step} is not a number", {"step": step})

    def on_metrics(self, gpus: Sequence[GPUMetrics], disk_free_mb: float, now: float) -> Iterator[Concern]:
        """A reading of the machine."""
        limits = self._limits
        low = disk_free_mb < limits.disk_free_mb
        message = f"only {disk_free_mb:.0f} MB are free on the disk that takes samples and checkpoints"
        yield from self._tell("disk", low, message, {"disk_free_mb": disk_free_mb})
        used = [gpu.utilization_pct for gpu in gpus if gpu.process_memory_mb and gpu.utilization_pct is not None]
        if not used or max(used) >= limits.idle_pct or self._stage is not TrainingStage.TRAINING:
            self._busy_at = now
        idle = now - self._busy_at
        message = f"the GPU has been idle for {idle:.0f} s in the middle of training"
        yield from self._tell("gpu-idle", idle >= limits.idle_s, message, {"idle_s": round(idle, 1)})

    def on_tick(self, now: float) -> Iterator[Concern]:
        """Time passes; call it every few seconds."""
        if self._stage is not TrainingStage.TRAINING or len(self._durations) < 3:
            return
        usual = statistics.median(self._durations)
        allowed = max(self._limits.stall_min_s, self._limits.stall_factor * usual)
        silent = now - self._last_step_at
        figures = {"silent_s": round(silent, 1), "usual_step_s": round(usual, 3)}
        message = f"no step for {silent:.0f} s; one usually takes {usual:.2g} s"
        if silent > allowed:
            yield from self._tell("stall", True, message, figures)

    def on_resume_of_machine(self, now: float) -> None:
        """The machine slept: the time that passed is nobody's fault."""
        self._last_step_at = now
        self._busy_at = now

    def _judge_loss(self, step: int, loss: float) -> Iterator[Concern]:
        self._told.discard("nan")
        self._losses.append(loss)
        if len(self._losses) < self._WINDOW:
            return
        smooth = statistics.fmean(self._losses)
        self._lowest = min(self._lowest, smooth)
        exploding = self._steps > self._SETTLED and smooth > self._limits.explode_factor * self._lowest
        figures = {"step": step, "loss_mean": round(smooth, 6), "lowest_mean": round(self._lowest, 6)}
        message = (
            f"the loss is exploding: its mean over {self._WINDOW} steps is {smooth:.3g}, it was {self._lowest:.3g}"
        )
        yield from self._tell("loss-explodes", exploding, message, figures)

    def _judge_eta(self, step: int, total: int | None, now: float) -> Iterator[Concern]:
        if self._first_step is None:
            self._first_step = step
        done, whole = step - self._first_step, (total or 0) - self._first_step
        if whole <= 0 or done < 0.1 * whole or done < 20:
            return
        estimate = (now - self._started) * whole / done
        if self._first_estimate is None:
            self._first_estimate = estimate
        late = estimate > self._limits.eta_factor * self._first_estimate and estimate > 600
        figures = {"estimate_s": round(estimate), "first_estimate_s": round(self._first_estimate)}
        message = (
            f"the run will take about {estimate / 60:.0f} min in all; at first it was {self._first_estimate / 60:.0f}"
        )
        yield from self._tell("eta", late, message, figures)

    def _tell(self, rule: str, wrong: bool, message: str, figures: dict[str, Any]) -> Iterable[Concern]:
        if not wrong:
            self._told.discard(rule)
        elif rule not in self._told:
            self._told.add(rule)
            yield Concern(rule, message, figures)
