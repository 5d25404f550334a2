"""Routes of the queue: look at it, pause it, let it go on, move a job in it."""

from __future__ import annotations

from fastapi import APIRouter

from isengard.api.body import StrictJsonRoute
from isengard.api.queue_view import queue_view
from isengard.api.schemas.common import problems
from isengard.api.schemas.queue import JobChange, QueueChange, QueueView
from isengard.api.schemas.training import JobView
from isengard.api.services import ServicesDep
from isengard.execution import queueing

router = APIRouter(tags=["queue"], route_class=StrictJsonRoute)


@router.get("/api/queue", summary="What waits, what runs, on which GPUs")
def get_queue(services: ServicesDep) -> QueueView:
    """The queue in the order in which it is worked off."""
    return queue_view(services.paths, services.store)


@router.patch("/api/queue", summary="Pause the queue, or let it go on", responses=problems(422))
def change_queue(services: ServicesDep, body: QueueChange) -> QueueView:
    """While it is paused no job starts, a retry neither; those that run go on."""
    if body.paused:
        queueing.pause(services.settings, services.store, body.reason)
    else:
        queueing.resume(services.settings, services.store)
    return queue_view(services.paths, services.store)


@router.patch("/api/training/{job_id}", summary="Move a job in the queue", responses=problems(404, 409, 422))
def change_training(services: ServicesDep, job_id: str, body: JobChange) -> JobView:
    """Gives a queued job another priority; higher goes first, equal ones by the time they were queued."""
    job = queueing.prioritise(services.settings, services.store, job_id, body.priority)
    services.live_jobs.look()
    return services.jobs.view(job)
