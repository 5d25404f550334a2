"""What a training says to its runner and what its runner wishes: the one client, of trainers of ours and of scripts.

Each call appends a line to the report spool (`events/reports.py`). Never imports journal, bus or store.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from isengard.events.models import EventName, Level, TrainingProgressEvent, TrainingStage
from isengard.events.reports import Report

if TYPE_CHECKING:
    from PIL.Image import Image


class Spool(Protocol):
    """Takes reports."""

    def send(self, report: Report) -> None:
        """Take `report`."""
        ...


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run's files are.

    Attributes:
        requests: Folder in which the runner leaves the marker files ``stop``, ``sample`` and ``save``.
        attempt: Which attempt this is; a step done twice keeps both samples.
    """

    samples: Path
    checkpoints: Path
    requests: Path
    attempt: int = 1


class Reporter:
    """The client of one run.

    Args:
        places: Where its files are.
        spool: Where reports go.
        steps_total: How many steps there will be; 0 when nobody knows.
    """

    def __init__(self, places: Places, spool: Spool, steps_total: int = 0) -> None:
        self.steps_total = steps_total
        self._places = places
        self._spool = spool
        self._stop = os.fspath(places.requests / "stop")
        self._stage = TrainingStage.INITIALIZING

    # What the runner wishes.

    @property
    def stop_requested(self) -> bool:
        """Whether the run is to end at the next good moment."""
        return os.path.exists(self._stop)

    def sample_requested(self) -> bool:
        """Whether somebody asked for a sample now; asking takes the request."""
        return self._take("sample")

    def save_requested(self) -> bool:
        """Whether somebody asked for a checkpoint now; asking takes the request."""
        return self._take("save")

    def _take(self, marker: str) -> bool:
        try:
            os.unlink(self._places.requests / marker)
        except FileNotFoundError:
            return False
        return True

    # What the training reports.

    def report(self, event: TrainingProgressEvent) -> None:
        """Report `event`, the callback of the trainer interface; what kind of line it is follows from its fields."""
        if event.stage is not None:
            self._stage = event.stage
        self._send(_kind(event), event.to_dict(), event.message or "")

    def stage(self, stage: TrainingStage, message: str = "") -> None:
        """A new stage begins."""
        self.report(TrainingProgressEvent(stage=stage, message=message or None))

    def phase(self, phase: str, pct: float | None = None) -> None:
        """What goes on inside the stage (``loading model``), with 0 to 100 where the progress is known."""
        event = TrainingProgressEvent(stage=self._stage, phase=phase, phase_pct=pct)
        self._send(EventName.JOB_STAGE, event.to_dict(), phase)

    def step(self, step: int, *, loss: float | None = None, lr: float | None = None, **metrics: float) -> None:
        """Optimizer step number `step` (from 1) is done; a loss that is not a number is told as a warning."""
        broken = loss is not None and not math.isfinite(loss)
        event = TrainingProgressEvent(
            stage=TrainingStage.TRAINING,
            step=step,
            steps_total=self.steps_total or None,
            loss=None if broken or loss is None else float(loss),
            lr=lr,
            metrics={name: float(value) for name, value in metrics.items() if math.isfinite(value)},
        )
        self._stage = TrainingStage.TRAINING
        message = f"the loss of step {step} is {loss}" if broken else ""
        self._send(EventName.TRAINING_STEP, event.to_dict(), message, Level.WARN if broken else Level.INFO)

    def sample(
        self,
        image: Image | Path,
        *,
        step: int,
        prompt: str | None = None,
        index: int = 0,
        seed: int | None = None,
    ) -> Path:
        """Keep a sample image and report it; returns where it is. A PIL image is saved as PNG, a file is copied."""
        target = self._sample_path(image, step, index)
        partial = target.with_name(f".partial-{target.name}")
        if isinstance(image, Path):
            shutil.copyfile(image, partial)
        else:
            image.save(partial, format="PNG")
        os.replace(partial, target)
        event = TrainingProgressEvent(
            stage=TrainingStage.SAMPLING,
            step=step,
            sample_path=target.name,
            sample_prompt=prompt,
            sample_index=index,
            sample_seed=seed,
        )
        self._send(EventName.TRAINING_SAMPLE, event.to_dict(), f"sample {index} at step {step}")
        return target

    def _sample_path(self, image: Image | Path, step: int, index: int) -> Path:
        suffix = image.suffix.lower() if isinstance(image, Path) else ".png"
        again = f"_a{self._places.attempt}" if self._places.attempt > 1 else ""
        return self._places.samples / f"step_{step:06d}_{index:02d}{again}{suffix}"

    @contextmanager
    def new_checkpoint(self, name: str, *, step: int) -> Iterator[Path]:
        """Write a checkpoint that exists whole or not at all: yields a temporary path, then renames and reports it.

        The path does not exist yet; write a file there or make it a folder.
        """
        target = self._places.checkpoints / name
        partial = target.with_name(f".partial-{name}")
        _remove(partial)
        try:
            yield partial
        except BaseException:
            _remove(partial)
            raise
        _flush(partial)
        _remove(target)
        os.replace(partial, target)
        self.checkpoint(target, step=step)

    def checkpoint(self, path: Path, *, step: int) -> None:
        """Report a whole checkpoint at `path`, which lies directly in the run's ``checkpoints``."""
        event = TrainingProgressEvent(step=step, checkpoint_path=path.name)
        self._send(EventName.TRAINING_CHECKPOINT, event.to_dict(), f"checkpoint at step {step}")

    def log(self, message: str, level: Level = Level.INFO, **fields: Any) -> None:
        """Say something for people."""
        self._send(EventName.LOG, fields, message, level)

    def _send(self, event: EventName, fields: dict[str, Any], message: str, level: Level = Level.INFO) -> None:
        self._spool.send(Report(event, fields, message, level))


def _kind(event: TrainingProgressEvent) -> EventName:
    if event.sample_path:
        return EventName.TRAINING_SAMPLE
    if event.checkpoint_path:
        return EventName.TRAINING_CHECKPOINT
    if event.step is not None:
        return EventName.TRAINING_STEP
    return EventName.JOB_STAGE if event.stage is not None else EventName.LOG


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Push a file, or every file of a folder, to the disk, so that the rename never names something half there."""
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
