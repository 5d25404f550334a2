"""Jobs: their statuses, the one state machine that connects them, and the record of a job.

Knows nothing of databases; `jobs/store.py` applies what is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from isengard.core.errors import IllegalTransition


class JobStatus(StrEnum):
    """Status of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more happens unless the job is resumed."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


TRANSITIONS: dict[JobStatus, frozenset[JobStatus]] = {
    # queued → failed: its runner could not be started at all.
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.CANCELLED, JobStatus.FAILED}),
    # running → queued: the run is given back for a retry from its checkpoint.
    JobStatus.RUNNING: frozenset(
        {JobStatus.CANCELLING, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.QUEUED}
    ),
    # cancelling → completed: the training finished before it heard of the cancel.
    JobStatus.CANCELLING: frozenset({JobStatus.CANCELLED, JobStatus.COMPLETED, JobStatus.FAILED}),
    JobStatus.COMPLETED: frozenset(),
    JobStatus.FAILED: frozenset({JobStatus.QUEUED}),
    JobStatus.CANCELLED: frozenset({JobStatus.QUEUED}),
}


def check_transition(job_id: str, present: JobStatus, wanted: JobStatus) -> None:
    """Raise `IllegalTransition` unless a job may go from `present` to `wanted`."""
    if wanted not in TRANSITIONS[present]:
        raise IllegalTransition(f"job {job_id} is {present}; it cannot become {wanted}", field="status")


ACTIVE = frozenset(status for status in JobStatus if not status.is_terminal)
"""Statuses in which something is still to happen by itself."""

HELD = frozenset({JobStatus.RUNNING, JobStatus.CANCELLING})
"""Statuses in which a worker answers for the job."""


ATTENDED = "attended"
"""The requirement of a job that its maker starts: what no worker has to offer."""


@dataclass(slots=True)
class Job:
    """A job as the store holds it. The journal holds what happened; these are the facts that change.

    Attributes:
        progress: 0 to 100.
        priority: Higher goes first; equal ones by the time they were queued.
        attempt: 1 for the first run, one more for each resume or retry.
        retries: Automatic retries so far; a resume by a person does not count.
        not_before: A retry waits until then; None for at once.
        requirements: What a worker must offer (``{"gpus": 1}``), read by the worker's own `fits`.
        has_secrets: Whether ``secrets/{id}.json`` was written for it; never the secrets themselves.
        request_fingerprint: Hash of the request that made it: the same idempotency key with another one is refused.
        failure_fingerprint: Hash of the failure's own frames, to find earlier jobs that failed alike.
        journal_seq: The journal line up to which the other fields are folded.
        worker_id: Who answers for it while it is running or cancelling.
        home: Identity of the data folder its runner was started on.
        fence: Token of the present claim; a write under an older one is refused. 0 while unclaimed.
    """

    id: str
    character_id: str
    trainer: str
    config: dict[str, Any]
    correlation_id: str
    created_at: datetime
    status: JobStatus = JobStatus.QUEUED
    stage: str = "queued"
    attempt: int = 1
    progress: float = 0.0
    current_step: int = 0
    total_steps: int = 0
    current_loss: float | None = None
    eta_seconds: float | None = None
    error_message: str | None = None
    error_type: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    output_path: str | None = None
    traceparent: str = ""
    priority: int = 0
    idempotency_key: str | None = None
    request_fingerprint: str | None = None
    failure_fingerprint: str | None = None
    requirements: dict[str, Any] = field(default_factory=dict)
    has_secrets: bool = False
    retries: int = 0
    not_before: datetime | None = None
    queued_at: datetime | None = None
    updated_at: datetime | None = None
    journal_seq: int = 0
    worker_id: str | None = None
    home: str | None = None
    fence: int = 0

    @property
    def is_attended(self) -> bool:
        """Whether the process that made it starts its runner by itself, so that no worker ever may."""
        return bool(self.requirements.get(ATTENDED))


@dataclass(frozen=True, slots=True)
class QueueState:
    """Whether jobs may start, and since when and why they may not."""

    paused: bool
    reason: str | None
    changed_at: datetime | None


@dataclass(slots=True)
class Character:
    """A subject to be learned: its images live in ``uploads/{id}/``."""

    id: str
    name: str
    trigger_word: str
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    image_count: int = 0
    lora_path: str | None = None


@dataclass(slots=True)
class Image:
    """One image of a character. Its caption lies in the ``.txt`` beside the file, not in the database.

    Attributes:
        width: Pixels across, after orientation.
        height: Pixels down, after orientation.
        sha256: Of the file as it is stored, in hexadecimal.
        stem_key: The stem as a case-insensitive file system compares it; unique, since captions go by the stem.
    """

    character_id: str
    filename: str
    width: int
    height: int
    size_bytes: int
    sha256: str
    created_at: datetime
    stem_key: str
    caption: str | None = None


@dataclass(slots=True)
class JobPage:
    """One page of a listing, newest first; `cursor` continues it, None at the end."""

    jobs: list[Job] = field(default_factory=list)
    cursor: str | None = None
