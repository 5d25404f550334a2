"""Routes of what a job records: journal, streams, metrics, summary, trace, bundle; and requests to a running one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response, WebSocket
from fastapi.responses import StreamingResponse

from isengard.api import log_views, metric_views
from isengard.api.body import StrictJsonRoute
from isengard.api.files import send_file
from isengard.api.log_views import Filters, parse_events, parse_levels
from isengard.api.schemas.common import Moment, problems
from isengard.api.schemas.jobs import (
    FailedAlike,
    LogPage,
    LogPlace,
    Metrics,
    RequestAccepted,
    RequestCreate,
    Stages,
    Summary,
    Trace,
)
from isengard.api.services import Services, ServicesDep
from isengard.api.stage_views import stages_view
from isengard.api.stream import EventStream, parse_position, serve_socket
from isengard.api.summaries import summary_view
from isengard.api.traces import trace_view
from isengard.core.access.roles import Actor
from isengard.core.errors import NotFound
from isengard.diagnostics.bundle import Bundle
from isengard.execution import control
from isengard.execution.inbox import Command
from isengard.jobs.models import Character, JobStatus

router = APIRouter(prefix="/api/jobs/{job_id}", tags=["jobs"], route_class=StrictJsonRoute)


def _filters(
    level: Annotated[str | None, Query(description="Levels by comma.", examples=["WARN,ERROR"])] = None,
    event: Annotated[
        str | None, Query(max_length=2000, description="Events by comma.", examples=["training.step"])
    ] = None,
    search: Annotated[str | None, Query(max_length=1000, description="Text in a line, in any case.")] = None,
) -> Filters:
    return Filters(parse_levels(level), parse_events(event), search or "")


FiltersDep = Annotated[Filters, Depends(_filters)]
FromStart = Annotated[Literal["start"] | None, Query(alias="from", description="Replay the whole journal.")]


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
def get_journal(services: ServicesDep, request: Request, job_id: str) -> Response:
    """The raw journal, with range requests."""
    services.store.get_job(job_id)
    name = f"{job_id}.jsonl"
    return send_file(request, services.paths.job(job_id).journal, media_type="application/x-ndjson", download_as=name)


@router.get("/logs/view", summary="A page of the journal", responses=problems(404, 422))
def view_logs(
    services: ServicesDep,
    job_id: str,
    filters: FiltersDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
    order: Literal["asc", "desc"] = "asc",
) -> LogPage:
    """Filters first, then cuts: `total` and `offset` count what the filters leave."""
    services.store.get_job(job_id)
    return log_views.page(services.readers.of(job_id), filters, limit, offset, order)


@router.get("/logs/locate", summary="Where is the line that …", responses=problems(404, 422))
def locate_line(
    services: ServicesDep,
    job_id: str,
    filters: FiltersDep,
    step: Annotated[int | None, Query(ge=0, description="First line of this step or of the next one there is.")] = None,
    first_error: Annotated[bool, Query(description="The first error of the latest attempt.")] = False,
    ts: Annotated[Moment | None, Query(description="First line not before this moment.")] = None,
    seq: Annotated[int | None, Query(ge=1, description="First line not before this number.")] = None,
) -> LogPlace:
    """Finds one line by step, moment, number or as the first error, and its offset under the given filters.

    Where the filters leave that line out, the answer is the next one that they leave.
    """
    services.store.get_job(job_id)
    wanted = log_views.Wanted(step=step, first_error=first_error, ts=ts, seq=seq)
    return log_views.locate(services.readers.of(job_id), filters, wanted)


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
    services: ServicesDep,
    job_id: str,
    after: Annotated[str | None, Query(description="Go on after this line, as with Last-Event-ID.")] = None,
    from_: FromStart = None,
    last_event_id: Annotated[str | None, Header(description="Go on after this line.")] = None,
) -> Response:
    """Snapshot, then every line as it comes, then `complete` or `error`."""
    services.store.get_job(job_id)
    return EventStream(services, job_id, _position(last_event_id or after, from_))


@router.websocket("/ws")
async def stream_job_by_websocket(
    websocket: WebSocket,
    services: ServicesDep,
    job_id: str,
    after: Annotated[str | None, Query()] = None,
    last_event_id: Annotated[str | None, Header()] = None,
    from_: FromStart = None,
) -> None:
    """The same frames as JSON texts."""
    await serve_socket(services, websocket, job_id, _position(last_event_id or after, from_))


@router.get("/metrics", summary="Series for charts", responses=problems(404, 422))
def get_metrics(
    services: ServicesDep,
    job_id: str,
    keys: Annotated[str, Query(max_length=1000, description="Series by comma.", examples=["loss,lr"])] = "loss,lr",
    max_points: Annotated[int, Query(ge=2, le=metric_views.MAX_POINTS)] = 1000,
    from_step: Annotated[int | None, Query(ge=0)] = None,
    to_step: Annotated[int | None, Query(ge=0)] = None,
) -> Metrics:
    """Down-sampled to `max_points` a series; extremes are kept."""
    services.store.get_job(job_id)
    return metric_views.metrics(
        services.readers.of(job_id), services.redactor.text(keys), max_points, from_step, to_step
    )


@router.get("/summary", summary="The few facts of a status line", responses=problems(404))
def get_summary(services: ServicesDep, request: Request, job_id: str) -> Summary:
    """Status, stage, step, loss, ETA, the first error and what it means, the last event's time."""
    job = services.store.get_job(job_id)
    found = services.jobs.summary(job)
    alike = None
    actor: Actor = request.state.actor
    if actor.job_id is None and found.status is JobStatus.FAILED and found.failure_fingerprint:
        count, ids = services.store.failed_alike(job, found.failure_fingerprint)
        alike = FailedAlike(count=count, job_ids=ids)
    return summary_view(found, alike)


@router.get("/stages", summary="What the job went through", responses=problems(404))
def get_stages(services: ServicesDep, job_id: str) -> Stages:
    """Its stages with what each took, how often it was entered, and how far the present one is."""
    services.store.get_job(job_id)
    return stages_view(services.readers.of(job_id))


@router.get("/trace", summary="The job's story across processes", responses=problems(404))
def get_trace(
    services: ServicesDep,
    request: Request,
    job_id: str,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
    show: Annotated[Literal["way", "all"], Query(description="`way` leaves out what comes with each step.")] = "way",
) -> Trace:
    """What its requests left in its journal and the services' logs, in time order."""
    actor: Actor = request.state.actor
    job = services.store.get_job(job_id)
    return trace_view(services.paths, job, limit, job_id=actor.job_id, way=show == "way")


@router.get(
    "/debug-bundle",
    summary="Everything about the job as a ZIP",
    response_class=Response,
    responses={**_content("application/zip", "The bundle.", {"type": "string", "format": "binary"}), **problems(404)},
)
def get_debug_bundle(services: ServicesDep, request: Request, job_id: str) -> Response:
    """Streamed; nothing in it holds a secret. By a share link it holds the services' lines about this job only."""
    job = services.store.get_job(job_id)
    actor: Actor = request.state.actor
    bundle = Bundle(services.settings, job, _character(services, job.character_id), is_shared=actor.job_id is not None)
    headers = {"content-disposition": f'attachment; filename="{bundle.filename}"'}
    return StreamingResponse(bundle.stream(), media_type="application/zip", headers=headers)


@router.post("/requests", status_code=202, summary="Ask something of a running training", responses=problems(404, 409))
def create_request(services: ServicesDep, job_id: str, body: RequestCreate) -> RequestAccepted:
    """Samples or a checkpoint now, where the trainer can (`capabilities` in `/info`)."""
    control.request(services.settings, services.store, job_id, Command(body.kind))
    return RequestAccepted(job_id=job_id, kind=body.kind)


def _position(after: str | None, from_: str | None) -> int | None:
    """What the client has; a line's number wins over ``?from=start``: browsers that reconnect send both."""
    position = parse_position(after)
    return 0 if position is None and from_ == "start" else position


def _character(services: Services, character_id: str) -> Character | None:
    try:
        return services.store.get_character(character_id)
    except NotFound:  # its jobs outlive it
        return None
