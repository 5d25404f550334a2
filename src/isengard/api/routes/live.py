"""The live stream of all jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from isengard.api.body import StrictJsonRoute
from isengard.api.global_stream import JobsStream, parse_id
from isengard.api.schemas.common import problems
from isengard.api.services import ServicesDep

router = APIRouter(prefix="/api", tags=["jobs"], route_class=StrictJsonRoute)


@router.get(
    "/stream",
    summary="All jobs, live",
    response_class=Response,
    responses={
        200: {
            "description": "Server-sent events.",
            "content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/JobsStreamFrame"}}},
        },
        **problems(422, 503),
    },
)
def stream_jobs(
    services: ServicesDep,
    after: Annotated[str | None, Query(description="Go on after this frame, as with Last-Event-ID.")] = None,
    last_event_id: Annotated[str | None, Header(description="Go on after this frame.")] = None,
) -> Response:
    """A snapshot of the jobs that are not over, then each job as it changes. For lists."""
    return JobsStream(services, parse_id(last_event_id or after))
