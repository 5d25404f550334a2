"""Routes of training jobs: queue, list, cancel, resume, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from isengard.api.schemas.common import problems
from isengard.api.schemas.training import JobList, JobView, Preflight, TrainingPlan, TrainingRequest

router = APIRouter(prefix="/api/training", tags=["training"])


@router.post("", status_code=201, summary="Queue a training", responses=problems(404, 409, 413, 422, 503, 507))
def create_training(
    body: TrainingRequest,
    response: Response,
    idempotency_key: Annotated[
        str | None,
        Header(max_length=255, description="The same key with the same request answers with the job it first made."),
    ] = None,
) -> JobView:
    """Checks everything that can be checked beforehand, then queues the job."""
    raise NotImplementedError


@router.get("", summary="Jobs, newest first", responses=problems(422))
def list_training(
    status: Annotated[str | None, Query(description="One status or several by comma.", examples=["running"])] = None,
    character_id: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> JobList:
    """One page; `cursor` of the answer continues it."""
    raise NotImplementedError


@router.post("/preflight", summary="Would this training be accepted?", responses=problems(422))
def preflight(body: TrainingPlan) -> Preflight:
    """Checks a training request and its dataset without queueing anything."""
    raise NotImplementedError


@router.get("/{job_id}", summary="One job", responses=problems(404))
def get_training(job_id: str) -> JobView:
    """The job as it stands, as fresh as its stream."""
    raise NotImplementedError


@router.post("/{job_id}/cancel", summary="Cancel a job", responses=problems(404, 409))
def cancel_training(job_id: str) -> JobView:
    """A queued job is cancelled at once; a running one is asked to stop and becomes `cancelling`."""
    raise NotImplementedError


@router.post("/{job_id}/resume", summary="Resume a job", responses=problems(404, 409, 422))
def resume_training(job_id: str) -> JobView:
    """Queues a failed or cancelled job again; it goes on from its last whole checkpoint, in the same journal."""
    raise NotImplementedError


@router.delete("/{job_id}", status_code=204, summary="Delete a job", responses=problems(404, 409))
def delete_training(job_id: str) -> None:
    """Removes a job that has ended, with its journal, samples and checkpoints. A finished LoRA stays."""
    raise NotImplementedError
