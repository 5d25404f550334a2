"""The three signals of OpenTelemetry, made of journal lines and sent by its SDK: logs, metrics, traces.

What a signal carries has the time of the line it was made of, whenever it is sent; so an outage leaves no hole behind.
`ISENGARD_OTLP_ENDPOINT` names the collector; all else (headers, TLS, compression, an endpoint for one signal) is said
by the SDK's own ``OTEL_…`` variables.
"""

from __future__ import annotations

import enum
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from isengard.core.errors import StartupError
from isengard.core.settings import Settings
from isengard.journal import Entry
from isengard.telemetry.endpoint import ENDPOINT, exports
from isengard.telemetry.job_trace import JobTrace, Span

if TYPE_CHECKING:
    import requests

_REFUSED = frozenset({400, 413, 415, 422})
"""Statuses that say: not this, and not later either."""

Make = Callable[[JobTrace, Entry, list[Span]], list[Any]]


class Answer(enum.Enum):
    """What became of a batch."""

    TAKEN = "taken"
    REFUSED = "refused"
    NOT_NOW = "not now"


@dataclass(slots=True)
class Signal:
    """One signal.

    Attributes:
        name: For people.
        carrier: The name of its positions.
        make: What a line gives, once the trace has taken it in; the spans are those that it ended.
    """

    name: str
    carrier: str
    make: Make
    _export: Callable[[Sequence[Any]], object]
    _success: object
    _hurry: Callable[[], None]
    _line: _Line

    def send(self, items: Sequence[Any]) -> Answer:
        """Send some; returns when it is decided, after the SDK's own retries."""
        self._line.status = None
        if self._export(items) is self._success:
            return Answer.TAKEN
        return Answer.REFUSED if self._line.status in _REFUSED else Answer.NOT_NOW

    def hurry(self) -> None:
        """Let a request that is under way be the last: no more retries. From any thread."""
        self._hurry()


@dataclass(slots=True)
class _Line:
    """The HTTP session of a signal, and what the other side answered last: the SDK keeps that to itself."""

    status: int | None = None

    def session(self) -> requests.Session:
        import requests  # noqa: PLC0415 - comes with the optional extra

        session = requests.Session()
        session.hooks["response"].append(self._note)
        return session

    def _note(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self.status = response.status_code


def open_signals(settings: Settings) -> list[Signal]:
    """The signals that the settings name. Connects to nothing yet.

    Raises:
        StartupError: No collector is named, or the libraries for it are not installed.
    """
    if not exports(settings):
        raise StartupError(f"there is nowhere to export to; set ISENGARD_OTLP_ENDPOINT (or {ENDPOINT})")
    if importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        raise StartupError("exporting needs the extra 'otlp' (pip install 'isengard[otlp]')")
    if settings.otlp_endpoint is not None:
        os.environ[ENDPOINT] = settings.otlp_endpoint.get_secret_value()  # where the SDK looks for it
    makers = {"logs": _logs, "metrics": _metrics, "traces": _traces}
    return [makers[name]() for name in settings.otlp_signals.split(",")]


def _logs() -> Signal:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs.export import LogRecordExportResult

    from isengard.telemetry.records import log_record  # noqa: PLC0415 - as above

    line = _Line()
    exporter = OTLPLogExporter(session=line.session())
    return Signal(
        "logs",
        "otlp-logs",
        lambda trace, entry, _: [log_record(trace, entry)],
        exporter.export,
        LogRecordExportResult.SUCCESS,
        exporter.shutdown,
        line,
    )


def _metrics() -> Signal:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import MetricExportResult

    from isengard.telemetry.records import metrics_data, points_of  # noqa: PLC0415 - as above

    line = _Line()
    exporter = OTLPMetricExporter(session=line.session())
    return Signal(
        "metrics",
        "otlp-metrics",
        lambda trace, entry, _: list(points_of(trace, entry)),
        lambda points: exporter.export(metrics_data(points)),
        MetricExportResult.SUCCESS,
        exporter.shutdown,
        line,
    )


def _traces() -> Signal:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import SpanExportResult

    from isengard.telemetry.records import readable_span  # noqa: PLC0415 - as above

    line = _Line()
    exporter = OTLPSpanExporter(session=line.session())
    return Signal(
        "traces",
        "otlp-traces",
        lambda _, __, spans: [readable_span(span) for span in spans],
        exporter.export,
        SpanExportResult.SUCCESS,
        exporter.shutdown,
        line,
    )


def stdout_signal() -> Signal:
    """Journal lines as they are, to standard output, for collectors that read what containers print."""

    def write(lines: Sequence[bytes]) -> bool:
        sys.stdout.buffer.write(b"".join(lines))
        sys.stdout.buffer.flush()
        return True

    def make(_: JobTrace, entry: Entry, __: list[Span]) -> list[Any]:
        return [orjson.dumps(entry.to_dict(), option=orjson.OPT_APPEND_NEWLINE)]

    return Signal("journal lines", "stdout", make, write, True, lambda: None, _Line())
