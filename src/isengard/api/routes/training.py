"""Routes of training jobs: queue, list, cancel, resume, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from isengard.api.body import StrictJsonRoute
from isengard.api.preflight import preflight_view
from isengard.api.schemas.common import problems
from isengard.api.schemas.training import JobList, JobView, Preflight, TrainingPlan, TrainingRequest
from isengard.api.services import ServicesDep
from isengard.execution import control
from isengard.execution.settling import settle_held

router = APIRouter(prefix="/api/training", tags=["training"], route_class=StrictJsonRoute)


@router.post("", status_code=201, summary="Queue a training", responses=problems(404, 409, 413, 422, 503, 507))
def create_training(
    services: ServicesDep,
    body: TrainingRequest,
    response: Response,
    idempotency_key: Annotated[
        str | None,
        Header(max_length=255, description="The same key with the same request answers with the job it first made."),
    ] = None,
) -> JobView:
    """Checks everything that can be checked beforehand, then queues the job."""
    job, is_new = control.submit(
        services.settings,
        services.store,
        character_id=body.character_id,
        trainer=body.trainer,
        config=body.config,
        secrets={name: value.get_secret_value() for name, value in body.secrets.items()},
        idempotency_key=idempotency_key,
        priority=body.priority,
    )
    response.headers["Location"] = f"/api/training/{job.id}"
    if not is_new:
        response.headers["Idempotency-Replayed"] = "true"
    services.live_jobs.look()
    return services.jobs.view(job)


@router.get("", summary="Jobs, newest first", responses=problems(422))
def list_training(
    services: ServicesDep,
    status: Annotated[str | None, Query(description="One status or several by comma.", examples=["running"])] = None,
    character_id: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> JobList:
    """One page; `cursor` of the answer continues it."""
    if status is not None:  # rows are chosen by what they say, shown by what their journals say
        settle_held(services.paths, services.store, character_id)
    page = services.store.list_jobs(status=status, character_id=character_id, limit=limit, cursor=cursor)
    return JobList(jobs=services.jobs.views(page.jobs), cursor=page.cursor)


@router.post("/preflight", summary="Would this training be accepted?", responses=problems(422))
def preflight(services: ServicesDep, body: TrainingPlan) -> Preflight:
    """Checks a training request and its dataset without queueing anything."""
    return preflight_view(services, body)


@router.get("/{job_id}", summary="One job", responses=problems(404))
def get_training(services: ServicesDep, job_id: str) -> JobView:
    """The job as it stands, as fresh as its stream."""
    return services.jobs.view(services.store.get_job(job_id))


@router.post("/{job_id}/cancel", summary="Cancel a job", responses=problems(404, 409))
def cancel_training(services: ServicesDep, job_id: str) -> JobView:
    """A queued job is cancelled at once; a running one is asked to stop and becomes `cancelling`."""
    job = control.cancel(services.settings, services.store, job_id)
    services.live_jobs.look()
    return services.jobs.view(job)


@router.post("/{job_id}/resume", summary="Resume a job", responses=problems(404, 409, 422))
def resume_training(services: ServicesDep, job_id: str) -> JobView:
    """Queues a failed or cancelled job again; it goes on from its last whole checkpoint, in the same journal."""
    job = control.resume(services.settings, services.store, job_id)
    services.live_jobs.look()
    return services.jobs.view(job)


@router.delete("/{job_id}", status_code=204, summary="Delete a job", responses=problems(404, 409))
def delete_training(services: ServicesDep, job_id: str) -> None:
    """Removes a job that has ended, with its journal, samples and checkpoints. A finished LoRA stays."""
    control.delete(services.settings, services.store, job_id)
    services.jobs.forget(job_id)
    services.live_jobs.gone(job_id)
