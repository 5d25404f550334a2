"""Which failures are tried again by themselves. Only causes that may be gone the next time, and never for ever."""

from __future__ import annotations

from isengard.jobs.models import Job
from isengard.journal import JobFold

FIRST_DELAY_S = 30.0


def never(job: Job, fold: JobFold) -> float | None:
    """No automatic retries."""
    del job, fold
    return None
