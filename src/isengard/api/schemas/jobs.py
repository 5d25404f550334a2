"""Models of what a job leaves behind: log pages, metric series, artifacts, summary, trace."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from isengard.api.schemas.common import Answer, Request
from isengard.api.schemas.training import Stage, Status

LogLevel = Literal["DEBUG", "INFO", "WARN", "ERROR"]


class LogEntry(Answer):
    """One line of the journal."""

    seq: int = Field(description="From 1, no gaps.", examples=[118])
    timestamp: datetime
    level: LogLevel
    event: str = Field(examples=["training.step"])
    message: str
    service: str = Field(examples=["runner"])
    fields: dict[str, Any]


class LogPage(Answer):
    """A page of the journal; `total` counts what the filters leave."""

    job_id: str
    entries: list[LogEntry]
    total: int
    has_more: bool


class LogPlace(Answer):
    """Where a line stands: its number, and its offset among what the same filters leave."""

    job_id: str
    seq: int
    offset: int = Field(description="Offset for `logs/view` with the same filters and `order=asc`.")
    timestamp: datetime
    event: str


class MetricPoint(Answer):
    """One value of a series."""

    step: int
    value: float | None = Field(description="Null where the training reported something that is not a number.")
    timestamp: datetime
    attempt: int
    seq: int = Field(description="The journal line it stands in.")


class Metrics(Answer):
    """Down-sampled series by key; the smallest and greatest value of every stretch are kept."""

    job_id: str
    keys: list[str] = Field(description="All keys this job has, asked for or not.")
    series: dict[str, list[MetricPoint]]


class Artifact(Answer):
    """A file that the job left."""

    name: str = Field(examples=["step_000100_0.png"])
    type: Literal["sample", "checkpoint", "model"]
    step: int | None
    size_bytes: int
    created_at: datetime
    url: str = Field(description="Where to get it; changes when the file does, so it may be cached for ever.")
    content_type: str = Field(examples=["image/png"])
    attempt: int | None
    seq: int | None = Field(description="The journal line that tells of it.")
    prompt: str | None = Field(description="Samples: the prompt.")
    index: int | None = Field(description="Samples: number of the prompt, from 0.")
    seed: int | None = Field(description="Samples: seed of the noise.")
    kept: bool = Field(description="Checkpoints: never removed to save space.")


class ArtifactList(Answer):
    """Samples and checkpoints by step, then the finished model."""

    job_id: str
    artifacts: list[Artifact]
    total_count: int


class RequestCreate(Request):
    """Something asked of a running training."""

    kind: Literal["sample", "save"] = Field(description="`sample`: make samples now. `save`: write a checkpoint now.")


class RequestAccepted(Answer):
    """The request is on its way; the stream shows what comes of it."""

    job_id: str
    kind: Literal["sample", "save"]


class FirstError(Answer):
    """The first error of the latest attempt."""

    seq: int
    timestamp: datetime
    event: str
    message: str
    error_type: str | None
    stack: str | None


class CauseView(Answer):
    """What a failure means."""

    code: str = Field(description="`unknown` where no rule knows it.", examples=["cuda-oom"])
    title: str
    explanation: str
    advice: list[str] = Field(description="What to try, best first.")
    retry: bool = Field(description="Whether resuming it unchanged can be worth it.")
    settings: dict[str, Any] = Field(description="Parameters that would avoid it.")


class FailedAlike(Answer):
    """Jobs that were made before this one and failed in the same place."""

    count: int
    job_ids: list[str] = Field(description="The newest of them, newest first.")


class Summary(Answer):
    """The few facts a status line needs."""

    job_id: str
    status: Status
    stage: Stage
    attempt: int
    step: int
    steps_total: int
    progress_pct: float
    loss: float | None
    lr: float | None
    it_per_s: float | None
    eta_seconds: float | None
    first_error: FirstError | None
    cause: CauseView | None
    failed_alike: FailedAlike | None = Field(
        description="Earlier jobs with the same failure; null unless this one failed, and for share links."
    )
    error: str | None
    error_type: str | None
    started_at: datetime | None
    completed_at: datetime | None
    last_event_at: datetime | None
    last_seq: int


class PhaseView(Answer):
    """Something that went on inside a stage."""

    name: str = Field(examples=["caching latents"])
    seconds: float = Field(description="What it took so far, without the time since `since`.")
    since: datetime | None = Field(description="While it is the present one.")
    message: str = Field(examples=["5 of 12 images captioned"])
    pct: float | None = Field(description="0 to 100; null where nobody counts.")


class StageView(Answer):
    """A stage of one attempt. One that was entered several times has the sum of its times."""

    stage: str = Field(examples=["captioning"])
    attempt: int
    seq: int = Field(description="The first journal line that told of it.")
    began: datetime
    seconds: float = Field(description="What it took so far, without the time since `since`.")
    since: datetime | None = Field(description="When it was entered last, while it is the present one.")
    times: int = Field(description="How often it was entered.")
    message: str = Field(description="The last words about it.", examples=["5 of 12 images captioned"])
    pct: float | None = Field(description="0 to 100, as it was told last; null where nobody counts.")
    phases: list[PhaseView] = Field(description="By the order in which they began.")


class Stages(Answer):
    """What a job went through."""

    job_id: str
    stages: list[StageView]


class TraceEntry(Answer):
    """One line of a story, from a journal or a service's own log."""

    timestamp: datetime
    source: str = Field(description="`journal`, or the service whose log it is from.", examples=["journal"])
    service: str
    level: str
    event: str
    message: str
    job_id: str | None
    seq: int | None
    fields: dict[str, Any]


class Trace(Answer):
    """Everything one correlation id left, in time order."""

    correlation_id: str
    entries: list[TraceEntry]
    truncated: bool = Field(description="Whether there was more than the limit.")
