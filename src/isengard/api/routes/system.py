"""Routes about this server itself: liveness, readiness, what it can do, figures for a monitor, the demo."""

from __future__ import annotations

from fastapi import APIRouter, Response

from isengard.api.schemas.common import problems
from isengard.api.schemas.system import Demo, Health, Info, Readiness

router = APIRouter(tags=["system"])


@router.get("/health", summary="Is the process alive?")
def health() -> Health:
    """Answers as long as the process does; looks at nothing else."""
    raise NotImplementedError


@router.get(
    "/ready",
    summary="Can it serve, and what is missing?",
    responses={503: {"model": Readiness, "description": "The database or the data folder does not work."}},
)
def ready(response: Response) -> Readiness:
    """Tries each dependency: database, data folder, worker, and Redis where it is configured."""
    raise NotImplementedError


@router.get("/info", summary="Version, mode, trainers and limits")
def info() -> Info:
    """What this server is, which trainers it has and which parameters they take."""
    raise NotImplementedError


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text."}},
)
def metrics() -> Response:
    """Jobs by status, requests by route, open streams, the process itself. Bounded in labels."""
    raise NotImplementedError


@router.post("/api/demo", status_code=201, summary="Start the demo", responses=problems(409, 422, 503))
def start_demo() -> Demo:
    """Makes the demo character from the images that come with Isengard, once, and queues a training of it.

    Trains with `diffusers` where that is installed, else with `mock`.
    """
    raise NotImplementedError
