"""What `isengard up` does about running trainings when it ends: it names them, and cancels them if asked.

The store is imported here and late, so that the supervisor stays small while it waits.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence

from isengard.cli.terminal import complain
from isengard.core.errors import Conflict, IsengardError, NotFound
from isengard.core.settings import Settings

LOOK_EVERY_S = 0.2


def running(settings: Settings) -> list[str]:
    """Ids of the jobs that a worker answers for; empty, with a complaint, if the store cannot be asked."""
    from isengard.jobs.models import HELD
    from isengard.jobs.store import open_store

    try:
        with contextlib.closing(open_store(settings)) as store:
            return [job.id for job in store.list_jobs(status=HELD, limit=1000).jobs]
    except IsengardError as error:
        complain(f"cannot tell which trainings go on: {error.detail}")
        return []


def cancel(settings: Settings, job_ids: Sequence[str], *, abandon: Callable[[], bool]) -> None:
    """Cancel `job_ids` and wait for their ends, at most two grace periods and a little, or until `abandon` says so."""
    from isengard.execution import control
    from isengard.jobs.store import open_store

    with contextlib.closing(open_store(settings)) as store:
        for job_id in job_ids:
            with contextlib.suppress(Conflict, NotFound):  # it ended by itself meanwhile
                control.cancel(settings, store, job_id)
        deadline = time.monotonic() + 2 * settings.grace_period_s + 10
        left = list(job_ids)
        while left and time.monotonic() < deadline and not abandon():
            time.sleep(LOOK_EVERY_S)
            left = [job_id for job_id in left if not store.get_job(job_id).status.is_terminal]
    if left:
        complain(f"still ending: {', '.join(left)}")
