"""`TrainingRun`: what a Python trainer holds while it trains: job, reports, and what the runner wishes.

Every report is on disk when the call returns (`events/reports.py`). Never imports journal, bus or store.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from isengard.events.reports import ENV_REPORTS, ENV_REQUESTS, ReportSpool
from isengard.sdk.reporter import Places, Reporter
from isengard.trainers.base import TrainingJob


class TrainingStopped(Exception):
    """Raised by a trainer that ends because `TrainingRun.stop_requested` is set."""


class TrainingRun(Reporter):
    """One run of one job inside the trainer's process.

    Args:
        job: What to train.
        spool: Where reports go.
        requests: Folder in which the runner leaves the marker files ``stop``, ``sample`` and ``save``.
    """

    def __init__(self, job: TrainingJob, spool: ReportSpool, requests: Path) -> None:
        places = Places(job.samples, job.checkpoints, requests, job.attempt)
        super().__init__(places, spool, int(job.config.get("steps", 0)))
        self.job = job

    @classmethod
    def from_environment(cls, job: TrainingJob, environment: Mapping[str, str]) -> TrainingRun:
        """The run whose places the runner named in the environment; raises KeyError outside a runner."""
        return cls(job, ReportSpool(Path(environment[ENV_REPORTS])), Path(environment[ENV_REQUESTS]))

    def stop(self) -> None:
        """End the run in order; never returns. Raises `TrainingStopped`, which the host turns into its exit code."""
        raise TrainingStopped("stopped at request")
