"""Makes the SDK's own records of journal lines and spans. Pure translation: sends nothing, remembers nothing.

Names of attributes begin with ``isengard.``; the key of a line is its job and number, which tell a record that came
twice from two records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from opentelemetry import trace as otel
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace.status import Status, StatusCode

from isengard import __version__
from isengard.core.clock import parse_utc
from isengard.events.models import TERMINAL_EVENTS, EventName
from isengard.journal import Entry
from isengard.telemetry.job_trace import JobTrace, Span

_SCOPE = InstrumentationScope("isengard", __version__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SEVERITIES = {
    "DEBUG": SeverityNumber.DEBUG,
    "INFO": SeverityNumber.INFO,
    "WARN": SeverityNumber.WARN,
    "ERROR": SeverityNumber.ERROR,
}
_SAMPLED = otel.TraceFlags(otel.TraceFlags.SAMPLED)

STEP_METRICS = {
    "step": ("isengard.training.step", "{step}"),
    "progress_pct": ("isengard.training.progress", "%"),
    "loss": ("isengard.training.loss", "1"),
    "lr": ("isengard.training.learning_rate", "1"),
    "it_per_s": ("isengard.training.speed", "{step}/s"),
}
GPU_METRICS = {
    "utilization_pct": ("isengard.gpu.utilization", "%"),
    "memory_used_mb": ("isengard.gpu.memory.used", "MiBy"),
    "memory_total_mb": ("isengard.gpu.memory.total", "MiBy"),
    "temperature_c": ("isengard.gpu.temperature", "Cel"),
    "power_w": ("isengard.gpu.power", "W"),
}
ENDED = ("isengard.job.ended", "{job}")


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one metric at one time; `counts` for something that happened, not something that was read."""

    name: str
    unit: str
    value: float
    at: int
    attributes: dict[str, Any]
    counts: bool = False


@cache
def resource() -> Resource:
    """Who speaks: the service, its version, and what ``OTEL_RESOURCE_ATTRIBUTES`` and ``OTEL_SERVICE_NAME`` add."""
    told = Resource.create({"service.version": __version__})
    if str(told.attributes.get("service.name", "unknown_service")).startswith("unknown_service"):
        return told.merge(Resource({"service.name": "isengard"}))
    return told


def log_record(trace: JobTrace, entry: Entry) -> ReadableLogRecord:
    """The log record of a line, tied to the span that was open."""
    context = _context(trace.trace_id, trace.span_now())
    attributes = {
        "isengard.job_id": entry.job_id,
        "isengard.seq": entry.seq,
        "isengard.service": entry.service,
        "isengard.correlation_id": entry.correlation_id or "",
        **{f"isengard.{name}": value for name, value in entry.fields.items() if value is not None},
    }
    record = LogRecord(
        timestamp=_nanoseconds(entry.ts),
        observed_timestamp=_nanoseconds(entry.ts),
        context=otel.set_span_in_context(otel.NonRecordingSpan(context)),
        severity_text=entry.level,
        severity_number=_SEVERITIES.get(entry.level, SeverityNumber.UNSPECIFIED),
        body=entry.msg or entry.event,
        attributes=attributes,
        event_name=f"isengard.{entry.event}",
    )
    return ReadableLogRecord(record, resource(), _SCOPE)


def readable_span(span: Span) -> ReadableSpan:
    """The SDK's span."""
    end = _nanoseconds(span.end)
    exception = {"exception.message": span.fault, "exception.type": span.fault_type, "exception.stacktrace": span.stack}
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span.span_id),
        parent=_context(span.trace_id, span.parent_id, remote=True) if span.parent_id else None,
        resource=resource(),
        attributes={f"isengard.{name}": value for name, value in span.attributes.items()},
        events=[Event("exception", {k: v for k, v in exception.items() if v}, end)] if span.fault_type else [],
        status=Status(StatusCode.ERROR, span.fault) if span.fault else Status(StatusCode.UNSET),
        start_time=_nanoseconds(span.begin),
        end_time=end,
        instrumentation_scope=_SCOPE,
    )


def points_of(trace: JobTrace, entry: Entry) -> Iterator[Point]:
    """The figures in a line."""
    about = {f"isengard.{name}": trace.about[name] for name in ("trainer", "character_id") if name in trace.about}
    of_job = {"isengard.job_id": entry.job_id, **about}
    at = _nanoseconds(entry.ts)
    if entry.event == EventName.TRAINING_STEP:
        yield from _read(STEP_METRICS, entry.fields, at, {**of_job, "isengard.attempt": trace.attempt})
    elif entry.event == EventName.GPU_METRICS:
        for gpu in entry.fields.get("gpus") or ():
            if isinstance(gpu, dict):
                yield from _read(GPU_METRICS, gpu, at, {**of_job, "isengard.gpu": gpu.get("index", 0)})
    elif entry.event in TERMINAL_EVENTS:
        outcome = {**about, "isengard.outcome": entry.event.rpartition(".")[2]}
        yield Point(*ENDED, 1, at, outcome, counts=True)


def metrics_data(points: Iterable[Point]) -> MetricsData:
    """The SDK's bundle of points, by metric."""
    by_name: dict[str, list[Point]] = {}
    for point in points:
        by_name.setdefault(point.name, []).append(point)
    scope = ScopeMetrics(_SCOPE, [_metric(points) for points in by_name.values()], "")
    return MetricsData([ResourceMetrics(resource(), [scope], "")])


def _metric(points: list[Point]) -> Metric:
    first = points[0]
    values = [NumberDataPoint(each.attributes, each.at, each.at, each.value) for each in points]
    if first.counts:
        return Metric(first.name, "", first.unit, Sum(values, AggregationTemporality.DELTA, is_monotonic=True))
    return Metric(first.name, "", first.unit, Gauge(values))


def _read(names: dict[str, tuple[str, str]], fields: dict[str, Any], at: int, about: dict[str, Any]) -> Iterator[Point]:
    for field, (name, unit) in names.items():
        value = fields.get(field)
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield Point(name, unit, value, at, about)


def _context(trace_id: str, span_id: str, *, remote: bool = False) -> otel.SpanContext:
    return otel.SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=remote, trace_flags=_SAMPLED)


def _nanoseconds(ts: str) -> int:
    """Nanoseconds since the epoch; the epoch itself for a line that is damaged and says no time."""
    try:
        return (parse_utc(ts) - _EPOCH) // timedelta(microseconds=1) * 1000
    except (ValueError, TypeError):
        return 0
