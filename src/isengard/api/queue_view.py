"""The queue as the API and the command line show it."""

from __future__ import annotations

from isengard.api.schemas.queue import GpuPlace, QueueView, WaitingJob
from isengard.core.paths import DataDir
from isengard.execution import gpus
from isengard.execution.capacity import gpus_wanted
from isengard.jobs.store import Store


def queue_view(paths: DataDir, store: Store) -> QueueView:
    """The queue now; raises `StorageError`."""
    state = store.queue_state()
    running = store.list_jobs(status="running,cancelling", limit=1000).jobs
    return QueueView(
        paused=state.paused,
        reason=state.reason,
        changed_at=state.changed_at,
        running=[job.id for job in reversed(running)],
        waiting=[
            WaitingJob(
                job_id=job.id,
                position=position,
                priority=job.priority,
                gpus=gpus_wanted(job),
                queued_at=job.queued_at,
                not_before=job.not_before,
            )
            for position, job in enumerate(store.waiting_jobs(), start=1)
        ],
        gpus=[GpuPlace(name=place.name, job_id=place.job_id) for place in gpus.places(paths)],
    )
