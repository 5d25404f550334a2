"""The host of trainers written in Python: the base class to inherit, and the process that calls `train`.

The runner starts ``python -m isengard.trainers.host <trainer> <job.json>``. Exit codes of that process:

    0   trained to the end; the LoRA lies at ``job.output``
    1   an exception; reported with its type and full stack before the process ends
    2   the process was started wrongly
    20  ended in order because the runner asked it to stop

A signal means what it says. The process never opens the journal or the store and never loads the web framework.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from isengard.core.errors import IsengardError
from isengard.core.settings import Settings
from isengard.events.models import Level
from isengard.events.reports import Report
from isengard.trainers import jobfile
from isengard.trainers.base import Availability, Ending, Launch, TrainingJob, TrainingParameters, Verdict
from isengard.trainers.run import TrainingRun, TrainingStopped

__all__ = ["EXIT_STOPPED", "HostObserver", "PythonTrainer", "TrainingRun", "TrainingStopped", "main"]

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_STOPPED = 20


class HostObserver:
    """Reads nothing from the output, because the host reports by itself; judges the ending by the exit code."""

    def line(self, stream: str, text: str) -> Iterable[Report]:
        """Nothing: what is printed is for people."""
        return ()

    def poll(self) -> Iterable[Report]:
        """Nothing: samples and checkpoints are reported."""
        return ()

    def ended(self) -> Iterable[Report]:
        """Nothing: what was to be said is in the spool."""
        return ()

    def verdict(self, ending: Ending) -> Verdict:
        """Completed for 0, cancelled for any other end after a stop request, failed otherwise."""
        if ending.exit_code == 0:
            return Verdict("completed")
        if ending.stop_requested:
            return Verdict("cancelled")
        return Verdict("failed")


class PythonTrainer(ABC):
    """Base of trainers that are Python code: implement `train`, set the class attributes, register the class."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    parameters: ClassVar[type[TrainingParameters]] = TrainingParameters
    capabilities: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def train(self, run: TrainingRun) -> None:
        """Train `run.job` and write the LoRA to ``run.job.output``.

        Look at `run.stop_requested` at every step; when it is set, save a checkpoint and call `run.stop()`. Raise
        whatever goes wrong: the host reports it with its stack.
        """

    def availability(self, settings: Settings) -> Availability:
        """Nothing is missing; override to check for packages, weights or a GPU without importing them."""
        return Availability()

    def launch(self, job: TrainingJob, settings: Settings) -> Launch:
        """Write the job for the host process and start it with this interpreter."""
        spec = job.workdir / "host.json"
        jobfile.write(job, spec)
        return Launch((sys.executable, "-m", "isengard.trainers.host", self.name, str(spec)))

    def observer(self, job: TrainingJob) -> HostObserver:
        """The observer that goes with the host."""
        return HostObserver()


def main(arguments: Sequence[str]) -> int:
    """Run one training; returns the exit code."""
    faulthandler.enable()  # a crash in native code still leaves the Python stack on stderr
    try:
        trainer_name, job_file = arguments
        trainer = _load(trainer_name)
        run = TrainingRun.from_environment(jobfile.read(Path(job_file), TrainingJob), os.environ)
        Path(job_file).unlink()  # its configuration may hold a secret; ``job.json`` has the rest of it
    except (ValueError, KeyError, OSError, IsengardError) as error:
        print(f"isengard.trainers.host: cannot start: {error!r}", file=sys.stderr)
        return EXIT_USAGE
    return _train(trainer, run)


def _load(name: str) -> PythonTrainer:
    from isengard.trainers.registry import load  # noqa: PLC0415 - a subclass imports this module; breaks the circle

    trainer = load(name)
    if not isinstance(trainer, PythonTrainer):
        raise ValueError(f"{name} is not a PythonTrainer")
    return trainer


def _train(trainer: PythonTrainer, run: TrainingRun) -> int:
    try:
        trainer.train(run)
    except TrainingStopped:
        return EXIT_STOPPED
    except (Exception, KeyboardInterrupt) as error:  # whatever a trainer raises is the cause the reader needs
        _report(run, error)
        return EXIT_FAILED
    return 0


def _report(run: TrainingRun, error: BaseException) -> None:
    """Tell the runner the cause; where even that is impossible (a full disk), stderr still carries it."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    stack = "".join(traceback.format_exception(error))
    try:
        run.log(str(error) or name, Level.ERROR, error=str(error) or name, error_type=name, error_stack=stack)
    except OSError:
        print(stack, file=sys.stderr)


if __name__ == "__main__":
    from isengard.trainers.host import main as hosted  # one copy of the classes, not a second one named __main__

    sys.exit(hosted(sys.argv[1:]))
