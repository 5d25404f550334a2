"""Models of the queue: what waits, in which order, on which GPUs, and whether it is paused."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from isengard.api.schemas.common import Answer, Request


class WaitingJob(Answer):
    """A job in the queue."""

    job_id: str = Field(examples=["train-3f9k2m7q8r1t"])
    position: int = Field(description="1 for the job that is started next.")
    priority: int
    gpus: int = Field(description="How many GPUs it needs; on a machine without one it needs none.")
    queued_at: datetime | None
    not_before: datetime | None = Field(description="When an automatic retry is due; null for at once.")


class GpuPlace(Answer):
    """A GPU that trainings may use."""

    name: str = Field(description="Its number or UUID, as `CUDA_VISIBLE_DEVICES` names it.", examples=["0"])
    job_id: str | None = Field(description="The training that has it; null when it is free.")


class QueueView(Answer):
    """The queue as it stands."""

    paused: bool
    reason: str | None = Field(description="Why it is paused, in the words of who paused it.")
    changed_at: datetime | None = Field(description="When it was last paused or resumed.")
    running: list[str] = Field(description="Ids of the jobs that run or are being stopped.")
    waiting: list[WaitingJob] = Field(description="In the order in which they are started, the first 1000.")
    gpus: list[GpuPlace] = Field(description="Empty on a machine without GPUs.")


class QueueChange(Request):
    """Pauses the queue or lets it go on."""

    paused: bool
    reason: str | None = Field(None, max_length=500, description="Shown to everybody while it is paused.")


class JobChange(Request):
    """What can be changed about a queued job."""

    priority: int = Field(ge=-1000, le=1000, description="Higher goes first.")
