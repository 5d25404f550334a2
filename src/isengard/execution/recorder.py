"""Writes what a trainer says into the journal, completed with what only its runner knows: attempt, pace, ETA, sizes.

Takes reports from anywhere – the spool, an observer, the runner itself – and trusts none of them: a figure that is no
number is left out, a sample that is not there is a warning.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isengard.core.paths import JobPaths
from isengard.events import overflow
from isengard.events.models import EventName, Level, TrainingStage
from isengard.events.reports import Report
from isengard.execution import sample_metadata
from isengard.execution.outbox import Outbox
from isengard.execution.run_monitor import RunMonitor
from isengard.execution.throughput import Throughput

_FIGURES = {
    "step": int,
    "steps_total": int,
    "sample_index": int,
    "sample_seed": int,
    "progress_pct": float,
    "loss": float,
    "lr": float,
    "eta_seconds": float,
    "phase_pct": float,
    "it_per_s": float,
}
_OUTCOMES = ("completed", "failed", "cancelled")
_STAGES = frozenset(stage.value for stage in TrainingStage)


@dataclass(slots=True)
class Failure:
    """What a trainer itself said about why it failed."""

    error: str
    error_type: str
    stack: str | None = None


@dataclass(frozen=True, slots=True)
class Farewell:
    """What a trainer itself said of its end.

    Attributes:
        outcome: ``completed``, ``failed`` or ``cancelled``.
        implied: It was not said in so many words: the script was just leaving.
    """

    outcome: str
    implied: bool


@dataclass(slots=True)
class Recorder:
    """The state of one run as far as its journal lines need it.

    Attributes:
        status: ``running`` or ``cancelling``; stands in every ``training.*`` and ``job.*`` line.
        failure: The last error with a type that the trainer reported.
        farewell: What it said of its end; `on_farewell` is called when it does.
        own: The kinds of reports that came from the trainer itself, not from whoever reads its output.
        run_monitor: Watches over the run; None for one that is over.
    """

    outbox: Outbox
    paths: JobPaths
    attempt: int
    steps_total: int
    step: int = 0
    stage: str = TrainingStage.INITIALIZING.value
    status: str = "running"
    failure: Failure | None = None
    run_monitor: RunMonitor | None = None
    throughput: Throughput = field(default_factory=Throughput)
    farewell: Farewell | None = None
    on_farewell: Callable[[], None] = lambda: None
    own: set[EventName] = field(default_factory=set)

    def report(self, report: Report, number: int | None = None) -> None:
        """Journal `report`; `number` is its line in the spool. Raises `StorageError`, and then took no notice of it."""
        fields = _clean(report.fields)
        if number is not None:
            fields["report"] = number
            self.own.add(report.event)
        event, message, level = report.event, report.msg, report.level
        fault = self._missing_file(event, fields)
        if fault:
            event, message, level = EventName.LOG, fault, Level.WARN
        if event is EventName.LOG:
            self._append(report, event, message, fields, level)
            self._note_failure(fields)
            self._note_farewell(fields)
            return
        self._complete(event, fields)
        self._append(report, event, message, fields, level)
        self._advance(event, fields)
        self._pause(event, fields)
        if self.run_monitor is not None:
            self._show(self.run_monitor, event, fields, level)

    def job(
        self,
        event: EventName,
        message: str,
        level: Level = Level.INFO,
        *,
        correlation_id: str | None = None,
        **fields: Any,
    ) -> None:
        """Journal a ``job.*`` line of the runner's own, without its empty fields.

        Args:
            correlation_id: The request that caused it, if not the one that the run belongs to.
        """
        known = {name: value for name, value in {**self.state(), **fields}.items() if value is not None}
        self.outbox.put(event, message, known, level, correlation_id)

    def enter(self, stage: TrainingStage, message: str) -> None:
        """Journal that a stage begins."""
        self.stage = stage.value
        self.job(EventName.JOB_STAGE, message)
        if self.run_monitor is not None:
            self.run_monitor.stage(self.stage)

    def log(self, message: str, level: Level = Level.INFO, *, correlation_id: str | None = None, **fields: Any) -> None:
        """Journal a remark; `correlation_id` as in `job`."""
        self.outbox.put(EventName.LOG, message, fields, level, correlation_id)

    def state(self) -> dict[str, Any]:
        """The fields of every ``job.*`` line."""
        return {
            "status": self.status,
            "stage": self.stage,
            "step": self.step,
            "steps_total": self.steps_total,
            "progress_pct": _percent(self.step, self.steps_total),
            "attempt": self.attempt,
        }

    def _append(self, report: Report, event: EventName, message: str, fields: dict[str, Any], level: Level) -> None:
        self.outbox.append(event, message, fields, level, report.ts)

    def _complete(self, event: EventName, fields: dict[str, Any]) -> None:
        fields["status"] = self.status
        fields["attempt"] = self.attempt
        if fields.get("stage") not in _STAGES:
            fields["stage"] = self.stage
        if event is EventName.TRAINING_STEP and "step" in fields:
            self._complete_step(fields)
        elif event is EventName.JOB_STAGE:
            fields.setdefault("step", self.step)
            fields.setdefault("steps_total", self.steps_total)

    def _complete_step(self, fields: dict[str, Any]) -> None:
        step, total = fields["step"], fields.setdefault("steps_total", self.steps_total)
        self.throughput.step(step)
        fields.setdefault("progress_pct", _percent(step, total))
        for name, value in (("it_per_s", self.throughput.it_per_s), ("eta_seconds", self.throughput.eta_s(total))):
            if value is not None:
                fields.setdefault(name, value)
        if self.run_monitor is not None and (gpu := self.run_monitor.newest_gpu()):
            fields.setdefault("gpu", gpu)

    def _advance(self, event: EventName, fields: dict[str, Any]) -> None:
        self.stage = fields["stage"]
        if event is EventName.TRAINING_STEP:
            self.step = fields.get("step", self.step)
            self.steps_total = fields.get("steps_total", self.steps_total)

    def _pause(self, event: EventName, fields: dict[str, Any]) -> None:
        """Have the pace know what no step is."""
        if event is EventName.TRAINING_CHECKPOINT:
            self.throughput.saved()
        elif event is not EventName.TRAINING_STEP and fields["stage"] == TrainingStage.SAMPLING:
            self.throughput.samples()

    def _show(self, run_monitor: RunMonitor, event: EventName, fields: dict[str, Any], level: Level) -> None:
        if event is not EventName.TRAINING_STEP or "step" not in fields:
            run_monitor.stage(fields["stage"])
            return
        run_monitor.step(fields)
        if level is Level.WARN and "loss" not in fields:
            run_monitor.bad_loss(fields["step"])

    def _missing_file(self, event: EventName, fields: dict[str, Any]) -> str | None:
        """What is wrong with the file that a sample or checkpoint report names; its size goes into `fields`."""
        if event is EventName.TRAINING_SAMPLE:
            return self._check_file(self.paths.samples, "sample_path", fields)
        if event is EventName.TRAINING_CHECKPOINT:
            return self._check_file(self.paths.checkpoints, "checkpoint_path", fields)
        return None

    def _check_file(self, folder: Path, key: str, fields: dict[str, Any]) -> str | None:
        kind = key.removesuffix("_path")
        name = fields.get(key)
        if not isinstance(name, str) or not name or name != os.path.basename(name) or name in (".", ".."):
            return f"the trainer reported a {kind} without a plain file name"
        with contextlib.suppress(OSError):
            target = folder / name
            if not target.exists():
                overflow.fetch(self.paths.job_id, name, target)
            if kind == "sample":
                target = sample_metadata.clean(target, self.outbox.redactor)
                fields[key] = target.name
            if target.exists():
                fields["size_bytes"] = target.stat().st_size
                return None
        return f"the trainer reported the {kind} {name}, which does not exist"

    def _note_failure(self, fields: dict[str, Any]) -> None:
        error, kind = fields.get("error"), fields.get("error_type")
        if isinstance(error, str) and isinstance(kind, str):
            stack = fields.get("error_stack")
            self.failure = Failure(error, kind, stack if isinstance(stack, str) else None)

    def _note_farewell(self, fields: dict[str, Any]) -> None:
        outcome = fields.get("ended")
        if isinstance(outcome, str) and outcome in _OUTCOMES:
            self.farewell = Farewell(outcome, implied=fields.get("implied") is True)
            self.on_farewell()


def _clean(fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` without figures that are none; a whole float such as ``3.0`` counts as a step."""
    result = dict(fields)
    for name, kind in _FIGURES.items():
        if name not in result:
            continue
        figure = _figure(result[name], kind)
        if figure is None:
            del result[name]
        else:
            result[name] = figure
    return result


def _figure(value: object, kind: type) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        figure = float(value)
    except OverflowError:
        return None
    if not math.isfinite(figure):
        return None
    if kind is int:
        return int(value) if figure.is_integer() and abs(figure) < 2**63 else None
    return figure


def _percent(step: int, total: int) -> float:
    return round(min(100.0, 100 * step / total), 2) if total > 0 else 0.0
