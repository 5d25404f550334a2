"""The vocabulary of events: what a training can report and what a journal line can say.

Standard-library dataclasses on purpose: a trainer process imports this module and nothing heavier.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Self


class Level(StrEnum):
    """Severity of a journal line."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


class TrainingStage(StrEnum):
    """Where a training stands, in the order it usually goes through."""

    QUEUED = "queued"
    INITIALIZING = "initializing"
    PREPARING_DATASET = "preparing_dataset"
    CAPTIONING = "captioning"
    TRAINING = "training"
    SAMPLING = "sampling"
    EXPORTING = "exporting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class EventName(StrEnum):
    """The `event` of a journal line."""

    JOB_CREATED = "job.created"
    JOB_QUEUED = "job.queued"
    JOB_STARTED = "job.started"
    JOB_STAGE = "job.stage"
    JOB_COMPLETED = "job.completed"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    JOB_RESUMED = "job.resumed"
    JOB_ADOPTED = "job.adopted"
    TRAINING_STEP = "training.step"
    TRAINING_SAMPLE = "training.sample"
    TRAINING_CHECKPOINT = "training.checkpoint"
    SUBPROCESS_START = "subprocess.start"
    SUBPROCESS_STDOUT = "subprocess.stdout"
    SUBPROCESS_STDERR = "subprocess.stderr"
    SUBPROCESS_EXIT = "subprocess.exit"
    GPU_METRICS = "gpu.metrics"
    LOG = "log"


TERMINAL_EVENTS = frozenset({EventName.JOB_COMPLETED, EventName.JOB_FAILED, EventName.JOB_CANCELLED})
"""A line with one of these ends an attempt; only `job.resumed` may follow it."""


@dataclass(slots=True)
class GPUMetrics:
    """One reading of one GPU; what the driver does not tell is None.

    Attributes:
        index: The driver's number of the device.
        utilization_pct: Share of the last sample period in which a kernel ran, 0 to 100.
        memory_used_mb: Memory in use on the device by everybody, MiB.
        memory_total_mb: Memory of the device, MiB.
        process_memory_mb: Memory in use by this training's processes, MiB.
        temperature_c: Degrees Celsius.
        power_w: Watts drawn.
        sm_clock_mhz: Clock of the compute units, MHz.
    """

    index: int = 0
    name: str | None = None
    utilization_pct: float | None = None
    memory_used_mb: float | None = None
    memory_total_mb: float | None = None
    process_memory_mb: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    sm_clock_mhz: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields that are known."""
        return _without_none(self)


@dataclass(slots=True)
class TrainingProgressEvent:
    """What a trainer reports and what a progress frame of the stream carries.

    Attributes:
        status: The job's status: ``queued``, ``running``, ``cancelling``, ``completed``, ``failed``, ``cancelled``.
        step: Optimizer steps done, from 0.
        progress_pct: 0 to 100.
        lr: Learning rate of this step.
        eta_seconds: Seconds until the end of the job, sampling and saving included.
        sample_path: Name of a new sample below the job's ``samples/``.
        checkpoint_path: Name of a new checkpoint below the job's ``checkpoints/``.
        phase: What goes on inside the stage (``loading model``, ``caching latents``); free words.
        phase_pct: 0 to 100 within the phase, where that is known.
        it_per_s: Optimizer steps a second, smoothed.
        metrics: Further figures of the step by name (``grad_norm``).
        attempt: 1 for the first run of the job, one more for each resume or retry.
    """

    job_id: str = ""
    correlation_id: str | None = None
    status: str | None = None
    stage: TrainingStage | None = None
    step: int | None = None
    steps_total: int | None = None
    progress_pct: float | None = None
    loss: float | None = None
    lr: float | None = None
    eta_seconds: float | None = None
    gpu: GPUMetrics | None = None
    message: str | None = None
    sample_path: str | None = None
    error: str | None = None
    error_type: str | None = None
    error_stack: str | None = None
    sample_prompt: str | None = None
    sample_index: int | None = None
    sample_seed: int | None = None
    checkpoint_path: str | None = None
    phase: str | None = None
    phase_pct: float | None = None
    it_per_s: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    attempt: int | None = None

    def __post_init__(self) -> None:
        """Take the stage by its name, too; raises ValueError for one that there is not."""
        if self.stage is not None:
            self.stage = TrainingStage(self.stage)

    def to_dict(self) -> dict[str, Any]:
        """The fields that are set, JSON-ready but for figures that are no number (a loss of NaN)."""
        return _without_none(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The event that `to_dict` made these values of; keys that only a newer version knows are left out."""
        known = {spec.name: values[spec.name] for spec in fields(cls) if spec.name in values}
        if "gpu" in known:
            names = {spec.name for spec in fields(GPUMetrics)}
            known["gpu"] = GPUMetrics(**{name: value for name, value in known["gpu"].items() if name in names})
        return cls(**known)

    def to_sse(self, event_id: int | str | None = None) -> dict[str, str]:
        """The event as one server-sent event: ``event``, ``data`` (a JSON text) and, if given one, ``id``.

        JSON has no NaN and no infinity: such a figure is null.
        """
        frame = {"event": self.frame_type, "data": json.dumps(_finite(self.to_dict()), separators=(",", ":"))}
        if event_id is not None:
            frame["id"] = str(event_id)
        return frame

    @property
    def frame_type(self) -> str:
        """The SSE event type: ``complete``, ``error``, ``sample``, ``checkpoint`` or ``progress``."""
        told = (self.status, self.stage)
        if "failed" in told:
            return "error"
        if "completed" in told or "cancelled" in told:
            return "complete"
        if self.sample_path:
            return "sample"
        return "checkpoint" if self.checkpoint_path else "progress"


def _without_none(instance: GPUMetrics | TrainingProgressEvent) -> dict[str, Any]:
    """The set fields of a dataclass instance in declaration order, nested ones and enums as plain values.

    An event without figures has no `metrics`, one that is not of a job yet (a trainer's report) no `job_id`.
    """
    result: dict[str, Any] = {}
    for spec in fields(instance):
        value = getattr(instance, spec.name)
        if value is None or value == {} or (value == "" and spec.name == "job_id"):
            continue
        if isinstance(value, StrEnum):
            value = value.value
        elif isinstance(value, GPUMetrics):
            value = value.to_dict()
        result[spec.name] = value
    return result


def _finite(value: Any) -> Any:
    """`value` with None for every figure that JSON cannot say."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
