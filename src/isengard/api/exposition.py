"""Figures in Prometheus' text format: what was counted, what is looked up at the moment, what the process takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from isengard import __version__
from isengard.api.readings import Readings
from isengard.api.request_metrics import BUCKETS, Durations, Figures


def render(figures: Figures, readings: Readings) -> bytes:
    """All of it as text."""
    registry = CollectorRegistry()
    registry.register(_Ours(figures, readings))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return generate_latest(registry)


class _Ours(Collector):
    def __init__(self, figures: Figures, readings: Readings) -> None:
        self._figures = figures
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        """Counts, then gauges."""
        yield _answers(self._figures)
        yield _durations(self._figures)
        yield from _gauges(self._readings)

    def describe(self) -> Iterable[Metric]:
        """Nothing: one registry, one answer, no names to hold apart."""
        return ()


def _answers(figures: Figures) -> Metric:
    family = CounterMetricFamily("isengard_http_requests", "Requests answered.", labels=["method", "route", "status"])
    for labels, count in list(figures.answers.items()):
        family.add_metric(labels, count)
    return family


def _durations(figures: Figures) -> Metric:
    family = HistogramMetricFamily(
        "isengard_http_request_seconds",
        "Time from request to the end of its answer, live streams left out.",
        labels=["method", "route"],
    )
    for labels, durations in list(figures.durations.items()):
        family.add_metric(labels, _buckets(durations), durations.sum_s)
    return family


def _buckets(durations: Durations) -> list[tuple[str, float]]:
    bounds = [*map(str, BUCKETS), "+Inf"]
    return list(zip(bounds, map(float, accumulate(durations.counts)), strict=True))


def _gauges(now: Readings) -> Iterator[Metric]:
    version = GaugeMetricFamily("isengard_info", "The running version.", labels=["version"])
    version.add_metric([__version__], 1)
    yield version
    jobs = GaugeMetricFamily("isengard_jobs", "Jobs by status.", labels=["status"])
    for status, count in now.jobs.items():
        jobs.add_metric([status.value], count)
    yield jobs
    yield GaugeMetricFamily("isengard_workers", "Workers that show signs of life.", value=now.workers)
    yield GaugeMetricFamily(
        "isengard_training_steps_per_second", "Throughput of all running trainings together.", value=now.steps_per_s
    )
    yield GaugeMetricFamily("isengard_streams_open", "Live streams open now.", value=now.streams)
    yield GaugeMetricFamily(
        "isengard_data_folder_free_bytes", "Capacity on the disk of the data folder.", value=now.free_bytes
    )
    behind = GaugeMetricFamily(
        "isengard_carrier_behind_bytes", "Bytes of journals that were not yet stored or exported.", labels=["carrier"]
    )
    for carrier, count in now.behind.items():
        behind.add_metric([carrier], count)
    yield behind
