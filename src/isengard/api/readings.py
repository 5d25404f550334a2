"""What the figures for a monitor are read from at the moment somebody asks: store, journals, disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from isengard.api.services import Services
from isengard.core.settings import Settings
from isengard.execution.artifacts import delivers
from isengard.execution.artifacts.job_upload import CARRIER
from isengard.jobs.models import JobStatus
from isengard.telemetry.endpoint import exports

_MOST = 500
"""Running jobs whose pace is added up; more than one Isengard has is not the question a gauge answers."""


@dataclass(frozen=True, slots=True)
class Readings:
    """The figures of one moment.

    Attributes:
        workers: Workers that show signs of life.
        steps_per_s: Of all running trainings together.
        free_bytes: Capacity on the disk of the data folder.
        behind: Bytes of journals that each carrier (artifacts, exporters) has not had confirmed.
    """

    jobs: Mapping[JobStatus, int]
    streams: int
    workers: int
    steps_per_s: float
    free_bytes: int
    behind: Mapping[str, int]


def carriers(settings: Settings) -> list[str]:
    """Who carries journals elsewhere by these settings, by the names of their positions."""
    signals = settings.otlp_signals.split(",") if exports(settings) else []
    return [*([CARRIER] if delivers(settings) else []), *(f"otlp-{signal}" for signal in signals)]


def take(services: Services) -> Readings:
    """Read everything; raises `StorageError` if the store cannot be asked, OSError if the disk cannot."""
    running = services.store.list_jobs(status=(JobStatus.RUNNING, JobStatus.CANCELLING), limit=_MOST).jobs
    disk = os.statvfs(services.settings.data_dir)
    return Readings(
        jobs=services.store.count_jobs(),
        streams=len(services.subscribers),
        workers=services.readiness.living_workers(),
        steps_per_s=sum(view.it_per_s or 0.0 for view in services.jobs.views(running)),
        free_bytes=disk.f_bavail * disk.f_frsize,
        behind={name: lag.bytes_behind() for name, lag in services.lags.items()},
    )
