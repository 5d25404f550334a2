"""Routes of what a job records: journal, streams, metrics, summary, trace, bundle; and requests to a running one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from isengard.api.schemas.common import problems
from isengard.api.schemas.jobs import LogPage, LogPlace, Metrics, RequestAccepted, RequestCreate, Summary, Trace

router = APIRouter(prefix="/api/jobs/{job_id}", tags=["jobs"])

LevelFilter = Annotated[str | None, Query(description="Levels by comma.", examples=["WARN,ERROR"])]
EventFilter = Annotated[str | None, Query(description="Events by comma.", examples=["training.step"])]
SearchFilter = Annotated[str | None, Query(max_length=1000, description="Text that a line contains; case is ignored.")]


def _content(
    media_type: str, description: str, schema: dict[str, Any] | None = None
) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"description": description, "content": {media_type: {"schema": schema or {"type": "string"}}}},
    }


@router.get(
    "/logs",
    summary="The journal as it is",
    response_class=Response,
    responses={**_content("application/x-ndjson", "One JSON object a line."), **problems(404, 416)},
)
def get_journal(job_id: str) -> Response:
    """The raw journal, with range requests."""
    raise NotImplementedError


@router.get("/logs/view", summary="A page of the journal", responses=problems(404, 422))
def view_logs(
    job_id: str,
    level: LevelFilter = None,
    event: EventFilter = None,
    search: SearchFilter = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
    order: Literal["asc", "desc"] = "asc",
) -> LogPage:
    """Filters first, then cuts: `total` and `offset` count what the filters leave."""
    raise NotImplementedError


@router.get("/logs/locate", summary="Where is the line that …", responses=problems(404, 422))
def locate_line(
    job_id: str,
    step: Annotated[int | None, Query(ge=0, description="First line of this step or of the next one there is.")] = None,
    first_error: Annotated[bool, Query(description="The first error of the latest attempt.")] = False,
    ts: Annotated[datetime | None, Query(description="First line not before this moment.")] = None,
    seq: Annotated[int | None, Query(ge=1, description="First line not before this number.")] = None,
    level: LevelFilter = None,
    event: EventFilter = None,
    search: SearchFilter = None,
) -> LogPlace:
    """Finds one line by step, moment, number or as the first error, and its offset under the given filters."""
    raise NotImplementedError


@router.get(
    "/stream",
    summary="The job, live",
    response_class=Response,
    responses={
        **_content("text/event-stream", "Server-sent events.", {"$ref": "#/components/schemas/StreamFrame"}),
        204: {"description": "The job has ended and the client has its last line: do not reconnect."},
        **problems(404, 422, 503),
    },
)
def stream_job(
    job_id: str,
    after: Annotated[str | None, Query(description="Go on after this line, as with Last-Event-ID.")] = None,
    from_: Annotated[Literal["start"] | None, Query(alias="from", description="Replay the whole journal.")] = None,
) -> Response:
    """Snapshot, then every line as it comes, then `complete` or `error`."""
    raise NotImplementedError


@router.get("/metrics", summary="Series for charts", responses=problems(404, 422))
def get_metrics(
    job_id: str,
    keys: Annotated[str, Query(description="Series by comma.", examples=["loss,lr"])] = "loss,lr",
    max_points: Annotated[int, Query(ge=2, le=20_000)] = 1000,
    from_step: Annotated[int | None, Query(ge=0)] = None,
    to_step: Annotated[int | None, Query(ge=0)] = None,
) -> Metrics:
    """Down-sampled to `max_points` a series; extremes are kept."""
    raise NotImplementedError


@router.get("/summary", summary="The few facts of a status line", responses=problems(404))
def get_summary(job_id: str) -> Summary:
    """Status, stage, step, loss, ETA, the first error, the last event's time."""
    raise NotImplementedError


@router.get("/trace", summary="The job's story across processes", responses=problems(404))
def get_trace(job_id: str, limit: Annotated[int, Query(ge=1, le=5000)] = 1000) -> Trace:
    """Every line with the job's correlation id, from its journal and the services' logs, in time order."""
    raise NotImplementedError


@router.get(
    "/debug-bundle",
    summary="Everything about the job as a ZIP",
    response_class=Response,
    responses={**_content("application/zip", "The bundle.", {"type": "string", "format": "binary"}), **problems(404)},
)
def get_debug_bundle(job_id: str) -> Response:
    """Streamed; nothing in it holds a secret."""
    raise NotImplementedError


@router.post("/requests", status_code=202, summary="Ask something of a running training", responses=problems(404, 409))
def create_request(job_id: str, body: RequestCreate) -> RequestAccepted:
    """Samples or a checkpoint now, where the trainer can (`capabilities` in `/info`)."""
    raise NotImplementedError
