"""Which failures are tried again by themselves: those whose cause may be gone the next time, and never for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isengard.jobs.lease_store import LONGEST_WAIT
from isengard.jobs.models import Job

FIRST_DELAY_S = 30.0
LONGEST_DELAY_S = LONGEST_WAIT.total_seconds()


@dataclass(frozen=True, slots=True)
class ByCause:
    """Tries again when the cause in the ``job.failed`` line says that this can help (`trainers/causes/`).

    Args:
        most: How many times for one job whose parameter ``retries`` does not say.
    """

    most: int

    def __call__(self, job: Job, failure: Mapping[str, Any]) -> float | None:
        """Seconds to wait before the next try, doubling from 30 s, none for a lost host; None for no further one.

        Args:
            failure: The fields of the job's last line.
        """
        cause = failure.get("cause")
        asked = job.config.get("retries")
        most = asked if isinstance(asked, int) else self.most
        if job.retries >= most or not isinstance(cause, dict) or not cause.get("retry"):
            return None
        if cause.get("code") == "host-lost":  # waiting helps nobody: another host can begin at once
            return 0.0
        return float(min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**job.retries))
