"""Models of what the live streams carry. Used for the OpenAPI document only: frames are made from journal bytes.

As server-sent events do, a frame holds its data as JSON in a text; a WebSocket's JSON text has it as an object.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Json, RootModel

from isengard.api.schemas.jobs import LogEntry
from isengard.api.schemas.training import GpuView, JobView, Stage, Status


class ProgressData(BaseModel):
    """A training's progress. A field that is not known is left out."""

    model_config = ConfigDict(extra="allow")

    job_id: str
    correlation_id: str
    ts: str = Field(examples=["2026-01-02T03:04:05.678901Z"])
    status: Status | None = None
    stage: Stage | None = None
    step: int | None = None
    steps_total: int | None = None
    progress_pct: float | None = None
    loss: float | None = None
    lr: float | None = None
    eta_seconds: float | None = None
    gpu: GpuView | None = None
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
    metrics: dict[str, float] | None = None
    attempt: int | None = None


class ProgressFrame(BaseModel):
    """A line that moves the training on; `complete` and `error` are the last frame of a stream."""

    id: str
    event: Literal["progress", "sample", "checkpoint", "complete", "error"]
    data: Json[ProgressData]


class LogFrame(BaseModel):
    """Any other line of the journal."""

    id: str
    event: Literal["log"]
    data: Json[LogEntry]


class SnapshotFrame(BaseModel):
    """The first frame of a new connection: the job as it stands; what follows comes after the line `id`."""

    id: str
    event: Literal["snapshot"]
    data: Json[JobView]


class StreamFrame(RootModel[Any]):
    """One frame of ``/api/jobs/{id}/stream`` and ``/api/jobs/{id}/ws``."""

    root: Annotated[ProgressFrame | LogFrame | SnapshotFrame, Field(discriminator="event")]


class JobsData(BaseModel):
    """The jobs in which something is still to happen."""

    jobs: list[JobView]


class RemovedData(BaseModel):
    """A job that is no more."""

    id: str


class JobsSnapshotFrame(BaseModel):
    """The first frame of a new connection to ``/api/stream``."""

    id: str
    event: Literal["snapshot"]
    data: Json[JobsData]


class JobFrame(BaseModel):
    """A job that is new or has changed, as it stands now."""

    id: str
    event: Literal["job"]
    data: Json[JobView]


class RemovedFrame(BaseModel):
    """A job was deleted."""

    id: str
    event: Literal["removed"]
    data: Json[RemovedData]


class JobsStreamFrame(RootModel[Any]):
    """One frame of ``/api/stream``."""

    root: Annotated[JobsSnapshotFrame | JobFrame | RemovedFrame, Field(discriminator="event")]


FRAMES: tuple[type[BaseModel], ...] = (StreamFrame, JobsStreamFrame)
