"""Routes about this server itself: liveness, readiness, what it can do, figures for a monitor, the demo."""

from __future__ import annotations

import platform

from fastapi import APIRouter, Response

from isengard import __version__
from isengard.api.body import StrictJsonRoute
from isengard.api.request_metrics import CONTENT_TYPE
from isengard.api.schemas.common import problems
from isengard.api.schemas.system import Demo, Health, Info, Limits, Readiness, TrainerView
from isengard.api.services import Services, ServicesDep
from isengard.api.views import character_view
from isengard.execution import demo
from isengard.trainers import registry

router = APIRouter(tags=["system"], route_class=StrictJsonRoute)


@router.head("/health", include_in_schema=False)
@router.get("/health", summary="Is the process alive?")
def health() -> Health:
    """Answers as long as the process does; looks at nothing else."""
    return Health(version=__version__)


@router.head("/ready", include_in_schema=False)
@router.get(
    "/ready",
    summary="Can it serve, and what is missing?",
    responses={503: {"model": Readiness, "description": "The database or the data folder does not work."}},
)
def ready(services: ServicesDep, response: Response) -> Readiness:
    """Tries each dependency: database, data folder, worker; Redis and the store of artifacts where there are such."""
    found = services.readiness.run()
    if found.status == "unavailable":
        response.status_code = 503
    return found


@router.get("/info", summary="Version, mode, trainers and limits")
def info(services: ServicesDep) -> Info:
    """What this server is, which trainers it has and which parameters they take."""
    settings = services.settings
    optional = {
        "redis": settings.redis_url,
        "postgres": settings.database_url,
        "token": settings.token,
        "artifacts": settings.artifacts_url,
        "otlp": settings.otlp_endpoint,
    }
    return Info(
        version=__version__,
        mode=settings.mode.value,
        default_trainer=settings.mode.default_trainer,
        trainers=[TrainerView.model_validate(card) for card in registry.available(settings)],
        limits=_limits(services),
        python=platform.python_version(),
        platform=platform.platform(),
        started_at=services.started_at,
        features=[name for name, value in optional.items() if value is not None],
    )


def _limits(services: Services) -> Limits:
    settings = services.settings
    return Limits(
        max_body_bytes=settings.max_body_mb * 1_048_576,
        max_upload_bytes=settings.max_upload_mb * 1_048_576,
        max_upload_files=settings.max_upload_files,
        max_image_bytes=settings.max_image_mb * 1_048_576,
        max_streams=settings.max_streams,
        log_page=1000,
        metric_points=20_000,
    )


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text."}},
)
def metrics(services: ServicesDep) -> Response:
    """Jobs by status, pace, workers, requests by route, streams, room, the process itself. Bounded in labels."""
    return Response(services.figures.text(), headers={"content-type": CONTENT_TYPE})


@router.post("/api/demo", status_code=201, summary="Start the demo", responses=problems(409, 422, 503, 507))
def start_demo(services: ServicesDep) -> Demo:
    """Makes the demo character from the images that come with Isengard, once, and queues a training of it.

    Trains with `diffusers` where that is installed, else with `mock`.
    """
    character, job = demo.start(services.settings, services.store)
    services.live_jobs.look()
    return Demo(character=character_view(character), job=services.jobs.view(job))
