"""The one worker's lease of a data folder: taken when free, refused while its holder lives, taken over when it is lost.

A holder is lost when its process is gone, or when its counter stood still for a whole lease on this process's own
monotonic clock (`jobs/leases.py`): nobody's wall clock is asked, and a machine that slept is given its time.

A lost holder that lives is left alone: waking up, it finds itself fenced. Unless it was stopped
with a lock in its hands that its successor needs; then it is killed, for it would keep everybody waiting for ever.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from isengard.core.errors import Conflict, StartupError, StorageBusy
from isengard.core.settings import Settings
from isengard.jobs.leases import Holder, LeaseObserver, Worker, end_stopped
from isengard.jobs.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerLease:
    """The right to work on a data folder.

    Attributes:
        registration: The calling process.
        predecessor: The lost worker that it replaced, which may still live; None if the lease was free.
    """

    registration: Worker
    predecessor: Worker | None

    def end_stopped_holder(self) -> bool:
        """Kill the predecessor, which holds a lock that is needed; whether that could be done."""
        return self.predecessor is not None and _kill(self.predecessor)


def take(
    settings: Settings,
    store: Store,
    *,
    sleep: Callable[[float], object] = time.sleep,
    stopped: Callable[[], bool] = bool,
) -> WorkerLease | None:
    """Become the worker of the data folder; waits for up to a lease if the present one shows no sign of life.

    Args:
        sleep: Waits for some seconds.
        stopped: Whether to give up.

    Returns:
        The lease, or None when `stopped` said so.

    Raises:
        StartupError: Another worker is alive.
        StorageBusy: The database is locked by somebody who is no lost worker of this machine.
    """
    me = Holder.here(settings.data_dir)
    observer = LeaseObserver(settings.lease_s)
    first_beat: int | None = None
    while not stopped():
        present = next((worker for worker in store.workers() if worker.folder == me.folder), None)
        lost = present is not None and present in observer.look([present])
        if present is None or lost:
            try:
                return WorkerLease(store.register_worker(me, replacing=present), present)
            except Conflict:
                continue  # it moved, or another one was quicker: look again
            except StorageBusy:
                if present is None or not _kill(present):
                    raise
                continue
        if first_beat is not None and present.beat != first_beat:
            raise _taken(present)
        first_beat = present.beat
        sleep(settings.lease_s / 8)
    return None


def _taken(present: Worker) -> StartupError:
    return StartupError(
        f"another worker already runs on this data folder (process {present.pid} on {present.host})", field="data_dir"
    )


def _kill(lost: Worker) -> bool:
    killed = end_stopped(lost)
    if killed:
        log.warning(
            "process %d, the last worker, was stopped with a lock in its hands; it was killed, its trainings go on",
            lost.pid,
        )
    return killed
