"""`Run`: what a script holds while it trains. Checks its arguments loudly and does everything else silently.

A mistake of the script (a step that is no number) raises TypeError or ValueError naming the argument. Nothing that the
disk, the runner or the network does is raised: it is made up for later and told once on stderr.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from isengard.events import overflow
from isengard.events.models import Level, TrainingStage
from isengard.sdk.numbers import figure, optional, step_number
from isengard.sdk.pictures import picture
from isengard.sdk.reporter import Places, Reporter
from isengard.sdk.retrying_spool import RetryingSpool
from isengard.sdk.runner_watch import RunnerWatch

Outcome = Literal["completed", "failed", "cancelled"]
_OUTCOMES = ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Requests:
    """What was asked of the script since it last looked.

    Attributes:
        stop: It is to save and end; stays so.
        sample: A sample is wanted.
        save: A checkpoint is wanted.
    """

    stop: bool
    sample: bool
    save: bool


class Run:
    """One run of a script. Made by `isengard.init`; use it as a context manager, or call `finish`.

    Args:
        job_id: The job; empty for a run that reports nothing (a process of a distributed training but the first).
        reporter: The client that this run is a face of; None for such a run.
        spool: Where the reporter's reports go.
        keeper: Sees to it that there is a runner; None inside of a job, whose runner is our parent.
        places: Where its files are.
        warn: Tells the script's owner, once for each sentence.
    """

    def __init__(
        self,
        job_id: str,
        reporter: Reporter | None,
        spool: RetryingSpool | None,
        keeper: RunnerWatch | None,
        places: Places | None,
        warn: Callable[[str], None],
    ) -> None:
        self.id = job_id
        self._reporter = reporter
        self._spool = spool
        self._keeper = keeper
        self._places = places
        self._warn = warn
        self._owner = os.getpid()
        self._over = False

    @property
    def is_going_on(self) -> bool:
        """Whether it has not ended, and is this process's own."""
        return not self._over and os.getpid() == self._owner

    # What it reports.

    def log(self, *, step: Any, loss: Any = None, lr: Any = None, **metrics: Any) -> None:
        """Step number `step` is done; figures are numbers or tensors of one element. A loss of NaN becomes a warning.

        Raises:
            TypeError: A figure is no number.
            ValueError: `step` is not a whole number from 0.
        """
        number = step_number(step)
        known = {name: figure(name, value) for name, value in metrics.items() if value is not None}
        loss, lr = optional("loss", loss), optional("lr", lr)
        self._say(lambda reporter: reporter.step(number, loss=loss, lr=lr, **known))

    def sample(
        self, image: Any, *, step: Any, prompt: str | None = None, index: int = 0, seed: int | None = None
    ) -> None:
        """Keep a sample image.

        Args:
            image: As `pictures.picture` takes it.
            index: Which of several samples of the same step.

        Raises:
            TypeError: `image`, `step` or `index` is nothing of the kind.
            ValueError: It is, but cannot be used.
        """
        number, place = step_number(step), int(figure("index", index))
        kept = picture(image)

        def keep(reporter: Reporter) -> None:
            try:
                reporter.sample(kept, step=number, prompt=prompt, index=place, seed=seed)
            except OSError as error:
                self._beside().sample(kept, step=number, prompt=prompt, index=place, seed=seed)
                self._warn(f"a sample cannot be kept in the data folder now ({error.strerror}); it goes there later")

        self._say(keep)

    def checkpoint(self, path: str | os.PathLike[str], *, step: Any) -> None:
        """Keep a copy of a checkpoint that is whole: a file, or a folder.

        Raises:
            TypeError: `step` is no number, or `path` no path.
            ValueError: `step` is not a whole number from 0.
        """
        number, source = step_number(step), Path(os.fspath(path))
        name = f"step_{number:06d}{source.suffix if source.is_file() else ''}"

        def keep(reporter: Reporter) -> None:
            with reporter.new_checkpoint(name, step=number) as target:
                (shutil.copyfile if source.is_file() else shutil.copytree)(source, target)

        self._say(keep)

    def stage(self, stage: str, message: str = "") -> None:
        """A stage begins: ``preparing_dataset``, ``training``, ``sampling``, …; raises ValueError for another."""
        known = TrainingStage(_one_of("stage", stage, TrainingStage))
        self._say(lambda reporter: reporter.stage(known, message))

    def phase(self, phase: str, pct: float | None = None) -> None:
        """What goes on inside the stage (``loading the model``), with 0 to 100 where the progress is known."""
        share = optional("pct", pct)
        self._say(lambda reporter: reporter.phase(phase, share))

    def note(self, message: str, level: str = "INFO", **fields: Any) -> None:
        """Say something for people; raises ValueError for a level that is none of DEBUG, INFO, WARN, ERROR."""
        known = Level(_one_of("level", level, Level))
        self._say(lambda reporter: reporter.log(message, known, **fields))

    def expect(self, steps: Any) -> None:
        """There will be so many steps in all; raises as `log` does for a step."""
        number = step_number(steps)
        if self._reporter is not None:
            self._reporter.steps_total = number

    # What is wished of it.

    @property
    def should_stop(self) -> bool:
        """Whether the script is to end at the next good moment. Cheap enough for every step: one look at a file."""
        return self._reporter is not None and self._reporter.stop_requested

    def requests(self) -> Requests:
        """What was asked since the last call; asking takes `sample` and `save`."""
        if self._reporter is None:
            return Requests(stop=False, sample=False, save=False)
        with contextlib.suppress(OSError):
            reporter = self._reporter
            return Requests(reporter.stop_requested, reporter.sample_requested(), reporter.save_requested())
        return Requests(self.should_stop, sample=False, save=False)

    # How it ends.

    def finish(self, outcome: Outcome = "completed", error: str | None = None) -> None:
        """The run is over; what is reported later is left out. Calling it again does nothing.

        Raises:
            ValueError: `outcome` is none of completed, failed, cancelled.
        """
        if outcome not in _OUTCOMES:
            raise ValueError(f"outcome must be one of {', '.join(_OUTCOMES)}, not {outcome!r}")
        told = {"error": error or "the script said that it failed", "error_type": "ScriptFailed"}
        self._end(outcome, told if outcome == "failed" else {}, implied=False)

    def fail(self, exception: BaseException, *, implied: bool = False) -> None:
        """The run has failed by `exception`; Ctrl-C is a cancel, and leaving by ``sys.exit(0)`` none of both.

        Args:
            implied: The script is leaving because of it: its exit decides where it says more.
        """
        if isinstance(exception, SystemExit):
            self._end(
                "failed" if exception.code else "completed", _account(exception) if exception.code else {}, implied
            )
        elif isinstance(exception, KeyboardInterrupt):
            self._end("cancelled", {}, implied)
        else:
            self._end("failed", _account(exception), implied)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
        else:
            self.fail(error)

    def _end(self, outcome: str, told: dict[str, Any], implied: bool) -> None:
        def part(reporter: Reporter) -> None:
            if told:
                reporter.log(str(told["error"]), Level.ERROR, **told)
            reporter.log(f"the script ends: {outcome}", ended=outcome, implied=implied)

        if self._say(part):
            self._over = True
            if self._spool is not None:
                self._spool.flush()
            if self._keeper is not None:
                self._keeper.look(now=True)

    def _beside(self) -> Reporter:
        """The same client, keeping files in the overflow folder; raises OSError."""
        assert self._places is not None  # noqa: S101 - for the type checker: who has a reporter has these
        assert self._spool is not None  # noqa: S101 - see above
        folder = overflow.make(self.id)
        return Reporter(Places(folder, folder, self._places.requests, self._places.attempt), self._spool)

    def _say(self, what: Callable[[Reporter], object]) -> bool:
        """Have `what` done with the reporter; what goes wrong in it is told, not raised.

        Returns:
            False for a run that is over, belongs to another process (a fork) or reports nothing: nothing is done.
        """
        if self._reporter is None or self._over or os.getpid() != self._owner:
            return False
        try:
            what(self._reporter)
        except Exception as error:  # whatever it is, it is not worth a training
            self._warn(f"something could not be reported: {type(error).__name__}: {error}")
        if self._keeper is not None:
            self._keeper.look()
        return True


def _account(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    words = f"the script ended with {error.code!r}" if isinstance(error, SystemExit) else str(error)
    return {"error": words or name, "error_type": name, "error_stack": "".join(traceback.format_exception(error))}


def _one_of(argument: str, value: str, known: type[StrEnum]) -> str:
    """`value`, if it is one of `known`; raises ValueError naming the argument and what there is."""
    names = [each.value for each in known]
    if value not in names:
        raise ValueError(f"{argument} must be one of {', '.join(names)}, not {str(value)[:60]!r}")
    return value
