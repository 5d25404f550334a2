"""The one worker's seat of a data folder: taken when free, refused while its holder lives, taken over when it is lost.

A holder is lost when its process is gone, or when its counter stood still for a whole lease on this process's own
monotonic clock (`jobs/leases.py`): nobody's wall clock is asked, and a machine that slept is given its time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from isengard.core.errors import Conflict, StartupError
from isengard.core.settings import Settings
from isengard.jobs.leases import Holder, LeaseObserver, Worker
from isengard.jobs.store import Store


def take(
    settings: Settings,
    store: Store,
    *,
    sleep: Callable[[float], object] = time.sleep,
    stopped: Callable[[], bool] = bool,
) -> Worker | None:
    """Become the worker of the data folder; waits for up to a lease if the present one shows no sign of life.

    Args:
        sleep: Waits for some seconds.
        stopped: Whether to give up.

    Returns:
        The registration, or None when `stopped` said so.

    Raises:
        StartupError: Another worker is alive.
    """
    me = Holder.here(settings.data_dir)
    observer = LeaseObserver(settings.lease_s)
    first_beat: int | None = None
    while not stopped():
        present = next((worker for worker in store.workers() if worker.folder == me.folder), None)
        lost = present is not None and present in observer.look([present])
        if present is None or lost:
            try:
                return store.register_worker(me, replacing=present)
            except Conflict:
                continue  # it moved, or another one was quicker: look again
        if first_beat is not None and present.beat != first_beat:
            raise _taken(present)
        first_beat = present.beat
        sleep(settings.lease_s / 8)
    return None


def _taken(present: Worker) -> StartupError:
    return StartupError(
        f"another worker already runs on this data folder (process {present.pid} on {present.host})", field="data_dir"
    )
