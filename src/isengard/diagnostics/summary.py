"""A job in the few facts that a status line needs: its row, brought up to date from its journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from isengard.diagnostics import first_error
from isengard.events.models import TrainingStage
from isengard.jobs.models import Job, JobStatus
from isengard.journal import Entry, JobFold, JournalReader
from isengard.trainers.causes import Cause

T = TypeVar("T")
_STAGES = frozenset(TrainingStage)
_STATUSES = frozenset(JobStatus)
_PRECEDENCE = (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.CANCELLING)


@dataclass(frozen=True, slots=True)
class Summary:
    """Where a job stands.

    Attributes:
        progress_pct: 0 to 100.
        first_error: The first line of level ERROR in the latest attempt.
        stack: The traceback that goes with it.
        cause: What the failure means and what to try.
        failure_fingerprint: What failures of the same kind share.
        last_event_at: Timestamp of the newest journal line, as it stands there.
    """

    job_id: str
    status: JobStatus
    stage: TrainingStage
    attempt: int
    step: int
    steps_total: int
    progress_pct: float
    loss: float | None
    lr: float | None
    it_per_s: float | None
    eta_seconds: float | None
    first_error: Entry | None
    stack: str | None
    cause: Cause | None
    error: str | None
    error_type: str | None
    failure_fingerprint: str | None
    started_at: str | None
    completed_at: str | None
    last_event_at: str | None
    last_seq: int


def summarise(reader: JournalReader, job: Job, fold: JobFold) -> Summary:
    """The summary of `job`, whose journal `fold` has taken in."""
    found = first_error.find(reader, around=0) if fold.first_error else None
    status = status_of(job, fold)
    return Summary(
        job_id=job.id,
        status=status,
        stage=stage_of(job, fold),
        attempt=max(job.attempt, fold.attempt),
        step=either(fold.step, job.current_step),
        steps_total=either(fold.steps_total, job.total_steps),
        progress_pct=either(fold.progress_pct, job.progress),
        loss=either(fold.loss, job.current_loss),
        lr=fold.lr,
        it_per_s=fold.it_per_s,
        eta_seconds=None if status.is_terminal else either(fold.eta_seconds, job.eta_seconds),
        first_error=found.entry if found else None,
        stack=found.stack if found else None,
        cause=found.cause if found else None,
        error=either(fold.error, job.error_message),
        error_type=either(fold.error_type, job.error_type),
        failure_fingerprint=either(fold.failure_fingerprint, job.failure_fingerprint),
        started_at=fold.started_at,
        completed_at=fold.completed_at,
        last_event_at=fold.last_ts,
        last_seq=fold.last_seq,
    )


def status_of(job: Job, fold: JobFold) -> JobStatus:
    """The status now: the journal says what has ended; a row that is ahead of it (cancelling, claimed) the rest."""
    told = JobStatus(fold.status) if fold.status in _STATUSES else job.status
    if told.is_terminal:
        return told
    return job.status if job.status.is_terminal else max(told, job.status, key=_PRECEDENCE.index)


def stage_of(job: Job, fold: JobFold) -> TrainingStage:
    """The stage that goes with `status_of`: an end is its own stage; one that a newer version named is ``training``."""
    status = status_of(job, fold)
    stage = status.value if status.is_terminal else fold.stage or job.stage
    return TrainingStage(stage) if stage in _STAGES else TrainingStage.TRAINING


def either(told: T | None, known: T) -> T:
    """What the journal tells, else what the store knows."""
    return known if told is None else told
