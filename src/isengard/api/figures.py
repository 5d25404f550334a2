"""Figures for Prometheus. Every label is from a closed set (routes, methods, statuses), never what clients send.

One object per application and a registry of its own, so that two applications in a process do not share counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from isengard import __version__

if TYPE_CHECKING:
    from isengard.api.readings import Readings

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_LIVE = ("/stream", "/ws")


class Figures:
    """What this process counts.

    Args:
        read: Gives what is looked up when the figures are asked for.
    """

    def __init__(self, read: Callable[[], Readings]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "isengard_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "isengard_http_request_seconds",
            "Time from request to the end of its answer, live streams left out.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._registry.register(_Gauges(read))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def observe(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count one answer; `route` is a route's template or ``unmatched``."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        if not route.endswith(_LIVE):
            self._seconds.labels(method, route).observe(took_s)

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)


class _Gauges(Collector):
    """Figures that are looked up when they are asked for."""

    def __init__(self, read: Callable[[], Readings]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        now = self._read()
        version = GaugeMetricFamily("isengard_info", "The running version.", labels=["version"])
        version.add_metric([__version__], 1)
        yield version
        jobs = GaugeMetricFamily("isengard_jobs", "Jobs by status.", labels=["status"])
        for status, count in now.jobs.items():
            jobs.add_metric([status.value], count)
        yield jobs
        yield GaugeMetricFamily("isengard_workers", "Workers that show signs of life.", value=now.workers)
        yield GaugeMetricFamily(
            "isengard_training_steps_per_second", "Pace of all running trainings together.", value=now.steps_per_s
        )
        yield GaugeMetricFamily("isengard_streams_open", "Live streams open now.", value=now.streams)
        yield GaugeMetricFamily(
            "isengard_data_folder_free_bytes", "Room on the disk of the data folder.", value=now.free_bytes
        )
        behind = GaugeMetricFamily(
            "isengard_carrier_behind_bytes",
            "Bytes of journals that were not yet stored or exported.",
            labels=["carrier"],
        )
        for carrier, count in now.behind.items():
            behind.add_metric([carrier], count)
        yield behind

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not ask the database."""
        return ()
