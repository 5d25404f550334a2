"""Tells each step of an ai-toolkit run once, in order, with the figures of its loss log.

Steps carry ai-toolkit's own numbers, from 0, as its bar, samples, checkpoints and loss log do. The log is exact and
complete but for the first step of a run, which ai-toolkit never logs, and for the last ones of a run that was killed;
for those the bar says what it knows. ai-toolkit repaints its bar at n = step with that step's loss and may then paint
n = step + 1 with the old one, so only the last frame of each n counts, and only once a higher n has shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from isengard.events.models import EventName, Level, TrainingProgressEvent, TrainingStage
from isengard.events.reports import Report
from isengard.trainers.aitoolkit.database import LossLog
from isengard.trainers.bar import Frame

_LOSS = "loss/loss"
_RATE = "learning_rate"
_LOG_IS_THERE_AFTER = 3
"""Steps after which a log that is not there will not come: an ai-toolkit without one is followed by its bar."""


class StepTeller:
    """The steps of one run.

    Args:
        log: ai-toolkit's loss log, as it was before the run.
        steps_total: How many steps were asked for; the bar's own total wins.
    """

    def __init__(self, log: LossLog, steps_total: int | None) -> None:
        self._log = log
        self._steps_total = steps_total
        self._frames: dict[int, Frame] = {}
        self._first: int | None = None
        self._told = -1
        self._newest: Frame | None = None
        self._nan = False

    def see(self, frame: Frame) -> Iterator[Report]:
        """Take a frame of the training bar."""
        if frame.n is None or frame.n == frame.total or frame.n <= self._told:
            return
        self._newest = frame
        if "loss" not in frame.figures:
            return
        self._frames[frame.n] = frame
        if self._first is None:
            self._first = frame.n
        elif frame.n > self._first > self._told:
            yield from self._tell(self._first, _printed(self._frames[self._first]))
        elif frame.n > self._first + _LOG_IS_THERE_AFTER and not self._log.exists():
            yield from self._unlogged(before=frame.n)

    def heard_nan(self) -> None:
        """ai-toolkit said that a loss is not a number; it counts it as 0."""
        self._nan = True

    def due(self) -> Iterator[Report]:
        """The steps that can be told now."""
        for logged in self._log.new_steps(self._told):
            yield from self._unlogged(before=logged.step)
            yield from self._tell(logged.step, logged.figures)

    def rest(self) -> Iterator[Report]:
        """The run is over: the steps that can still be told."""
        yield from self.due()
        newest = max(self._frames, default=-1)
        yield from self._unlogged(before=newest)
        if newest > self._told and self._is_its_own(newest):
            yield from self._tell(newest, _printed(self._frames[newest]))

    def _unlogged(self, before: int) -> Iterator[Report]:
        for step in sorted(step for step in self._frames if self._told < step < before):
            yield from self._tell(step, _printed(self._frames[step]))

    def _is_its_own(self, step: int) -> bool:
        """Whether the frame shows that step's loss: one that differs from what the step before it ended with."""
        return step == self._first or self._frames[step].figures != self._last_figures

    def _tell(self, step: int, figures: Mapping[str, float]) -> Iterator[Report]:
        if step <= self._told:
            return
        self._told = step
        shown = self._frames.get(step)
        self._last_figures = shown.figures if shown else {}
        self._frames = {number: frame for number, frame in self._frames.items() if number > step}
        loss = figures.get(_LOSS)
        broken = self._nan and loss == 0.0
        self._nan = self._nan and not broken
        newest = self._newest
        event = TrainingProgressEvent(
            stage=TrainingStage.TRAINING,
            step=step,
            steps_total=(newest.total if newest else None) or self._steps_total,
            loss=None if broken else loss,
            lr=figures.get(_RATE) if loss is not None else None,
            it_per_s=newest.rate if newest else None,
            metrics={key.removeprefix("loss/"): value for key, value in figures.items() if key not in (_LOSS, _RATE)},
        )
        yield Report(EventName.TRAINING_STEP, event.to_dict(), *_remark(step, loss, broken=broken))

    _last_figures: Mapping[str, str] = {}


def _remark(step: int, loss: float | None, *, broken: bool) -> tuple[str, Level]:
    if broken:
        return f"the loss of step {step} is not a number", Level.WARN
    return ("" if loss is not None else "the batch was skipped"), Level.INFO


def _printed(frame: Frame) -> dict[str, float]:
    """The figures of a frame under the names of the loss log."""
    figures = {f"loss/{name}": float(text) for name, text in frame.figures.items() if name != "lr"}
    return figures | ({_RATE: float(frame.figures["lr"])} if "lr" in frame.figures else {})
