"""What people do with the queue: pause it, let it go on, move a job in it. API and CLI call these."""

from __future__ import annotations

import os

from isengard.core.errors import Conflict
from isengard.core.paths import check_job_id
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.execution import wake
from isengard.jobs.models import Job, JobStatus
from isengard.jobs.store import Store


def pause(settings: Settings, store: Store, reason: str | None = None) -> None:
    """Let no further job start; those that run go on. Automatic retries wait as well.

    Args:
        reason: For people; secrets in it are masked.
    """
    redactor = Redactor.configured(os.environ, settings.redact_patterns)
    store.pause_queue(None if reason is None else redactor.text(reason))
    wake.worker(settings.paths)


def resume(settings: Settings, store: Store) -> None:
    """Let jobs start again."""
    store.resume_queue()
    wake.worker(settings.paths)


def prioritise(settings: Settings, store: Store, job_id: str, priority: int) -> Job:
    """Give a waiting job another priority: higher goes first.

    Raises:
        NotFound: There is no such job.
        Conflict: It does not wait any more.
    """
    job = store.get_job(check_job_id(job_id))
    if job.status is not JobStatus.QUEUED:
        raise Conflict(f"job {job_id} is {job.status}; only a queued one has a place in the queue", field="priority")
    changed = store.set_priority(job_id, priority)
    wake.worker(settings.paths)
    return changed
