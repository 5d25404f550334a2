"""The story of a job, as the API answers it."""

from __future__ import annotations

from itertools import islice

from isengard.api.schemas.jobs import Trace, TraceEntry
from isengard.core.clock import moment_of
from isengard.core.paths import DataDir
from isengard.diagnostics.trace import SERVICES, TraceLine, correlations_of, trace
from isengard.events.models import EventName
from isengard.jobs.models import Job

_FREQUENT = frozenset(
    {EventName.TRAINING_STEP, EventName.SUBPROCESS_STDOUT, EventName.SUBPROCESS_STDERR, EventName.GPU_METRICS}
)


def trace_view(data: DataDir, job: Job, limit: int, *, job_id: str | None, way: bool) -> Trace:
    """The first `limit` lines of the story of `job`.

    Args:
        job_id: The one job whose lines may be shown; None for all. One request may have made several jobs.
        way: Only those that mark the way, without what comes with each step.
    """
    lines = (
        line
        for line in trace(data, *correlations_of(data, job.id))
        if (job_id is None or line.entry.job_id == job_id) and not (way and line.entry.event in _FREQUENT)
    )
    return _view(job.correlation_id, list(islice(lines, limit + 1)), limit)


def _view(correlation_id: str, found: list[TraceLine], limit: int) -> Trace:
    entries = [_entry(line) for line in found[:limit]]
    return Trace(correlation_id=correlation_id, entries=entries, truncated=len(found) > limit)


def _entry(line: TraceLine) -> TraceEntry:
    entry = line.entry
    return TraceEntry(
        timestamp=moment_of(entry.ts),
        source=line.source if line.source in SERVICES else "journal",
        service=entry.service,
        level=entry.level,
        event=entry.event,
        message=entry.msg,
        job_id=entry.job_id or None,
        seq=entry.seq or None,
        fields=entry.fields,
    )
