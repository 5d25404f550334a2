"""The journal lines of a job that its runner does not write: its birth, its resumption, its end without a run.

The writer's lock is held for the moment of writing only, so these wait for a runner that is just leaving.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from isengard.core.correlation import Correlation
from isengard.core.errors import StorageError
from isengard.core.paths import JobPaths
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.events.models import EventName, Level
from isengard.execution import job_secrets
from isengard.execution.checkpoints import Start
from isengard.execution.writing import open_writer
from isengard.jobs.models import Character, Job, JobStatus
from isengard.journal import JournalWriter

SERVICE = "control"


def redactor_for(settings: Settings, job_id: str) -> Redactor:
    """A redactor that knows this process's own secrets and those given to the job."""
    secrets = job_secrets.read(settings.paths.job_secrets(job_id))
    return Redactor.configured(os.environ, settings.redact_patterns).with_known(*secrets.values())


def make_folder(paths: JobPaths) -> None:
    """Create the job's folder; raises `StorageError`."""
    try:
        paths.make()
    except OSError as error:
        raise StorageError(f"the folder of job {paths.job_id} cannot be made: {error.strerror}") from error


@contextmanager
def writer(settings: Settings, job_id: str, *, service: str, correlation_id: str) -> Iterator[JournalWriter]:
    """The job's journal, open for writing; raises `JournalLocked` when somebody else keeps it, or `StorageError`."""
    redactor = redactor_for(settings, job_id)
    paths = settings.paths.job(job_id)
    with open_writer(paths, service=service, redactor=redactor, correlation_id=correlation_id) as journal:
        yield journal
        journal.sync()


def created(
    settings: Settings, job: Job, character: Character, secrets: Mapping[str, str], *, parent_span: str = ""
) -> None:
    """``job.created``, which holds all that a lost row is made from again, and ``job.queued``.

    Args:
        parent_span: Span id of whoever asked for it, if that is known.
    """
    birth = {
        **state(job),
        "trainer": job.trainer,
        "character_id": character.id,
        "character_name": character.name,
        "trigger_word": character.trigger_word,
        "config": job.config,
        "created_at": job.created_at.isoformat(),
        "traceparent": job.traceparent,
        "parent_span": parent_span,
        "priority": job.priority,
        "requirements": job.requirements,
        "given_variables": sorted(secrets),
        "idempotency_key": job.idempotency_key,
        "request_fingerprint": job.request_fingerprint,
    }
    with writer(settings, job.id, service=SERVICE, correlation_id=job.correlation_id) as journal:
        fields = {name: value for name, value in birth.items() if value not in (None, "", [], {})}
        journal.append(EventName.JOB_CREATED, f"training of {character.name} with {job.trainer} created", fields)
        waits = "its runner is being started" if job.is_attended else "waiting for a worker"
        journal.append(EventName.JOB_QUEUED, waits, state(job))


def resumed(settings: Settings, job: Job, start: Start, story: Correlation) -> None:
    """``job.resumed`` and ``job.queued`` of the next attempt."""
    fields: dict[str, Any] = {**state(job), "step": start.step}
    message = f"attempt {job.attempt} starts over"
    if start.checkpoint is not None:
        fields["checkpoint_path"] = start.checkpoint.name
        message = f"attempt {job.attempt} goes on from step {start.step}"
    with writer(settings, job.id, service=SERVICE, correlation_id=story.id) as journal:
        journal.append(EventName.JOB_RESUMED, message, fields)
        journal.append(EventName.JOB_QUEUED, "waiting for a worker", state(job))


def cancelled_before_start(settings: Settings, job: Job, story: Correlation) -> None:
    """``job.cancelled`` of a job that no runner has touched."""
    with writer(settings, job.id, service=SERVICE, correlation_id=story.id) as journal:
        journal.append(EventName.JOB_CANCELLED, "cancelled before it started", state(job))


def failed_before_start(settings: Settings, job: Job, error: str, error_type: str, *, service: str) -> None:
    """``job.failed`` of a job whose runner could not be started."""
    with writer(settings, job.id, service=service, correlation_id=job.correlation_id) as journal:
        fields = {**state(job), "status": "failed", "stage": "failed", "error": error, "error_type": error_type}
        journal.append(EventName.JOB_FAILED, error, fields, level=Level.ERROR)


def ended(settings: Settings, job: Job) -> None:
    """The terminal line of a job that the store knows to be over and whose journal has lost it."""
    event = {
        JobStatus.COMPLETED: EventName.JOB_COMPLETED,
        JobStatus.FAILED: EventName.JOB_FAILED,
        JobStatus.CANCELLED: EventName.JOB_CANCELLED,
    }[job.status]
    known = {"error": job.error_message, "error_type": job.error_type, "output_path": job.output_path}
    fields = {**state(job), **{name: value for name, value in known.items() if value}}
    level = Level.ERROR if job.status is JobStatus.FAILED else Level.INFO
    with writer(settings, job.id, service="worker", correlation_id=job.correlation_id) as journal:
        journal.append(event, f"{job.status}; the line that said so was lost", fields, level=level)


def state(job: Job) -> dict[str, Any]:
    """The fields every ``job.*`` line has."""
    return {
        "status": job.status.value,
        "stage": job.stage,
        "step": job.current_step,
        "steps_total": job.total_steps,
        "attempt": job.attempt,
    }
