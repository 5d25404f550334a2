"""Waits where a journal is ahead of the store: a job's end is in its journal first, the worker writes it into the row
a moment later. Whoever was told that a job is over may go on with it at once: resume it, delete it, look for its LoRA.

Changes nothing itself; the row is the worker's while the job is held.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from isengard.core.errors import NotFound
from isengard.core.paths import DataDir, JobPaths
from isengard.events.models import TERMINAL_EVENTS
from isengard.execution import wake
from isengard.jobs.models import HELD, Job
from isengard.jobs.store import Store
from isengard.journal import JournalReader

PATIENCE_S = 5.0
"""How long a worker is given to take note of an end. Without a worker nobody does."""
_PAUSE_S = 0.02


def settled(paths: DataDir, store: Store, job: Job) -> Job:
    """`job` as its row stands once the worker has taken note of an end that is in the journal already."""
    settle(paths, store, [job])
    return store.get_job(job.id)


def settle_held(paths: DataDir, store: Store, character_id: str | None = None) -> None:
    """Wait for the rows of all jobs, or of one character's, whose journals have ended."""
    settle(paths, store, store.list_jobs(status=HELD, character_id=character_id, limit=1000).jobs)


def settle(paths: DataDir, store: Store, jobs: Iterable[Job]) -> None:
    """Wait until the rows of those among `jobs` whose journals have ended say so, or until patience is at an end."""
    behind = [job.id for job in jobs if job.status in HELD and is_over(paths.job(job.id), job.attempt)]
    if not behind:
        return
    wake.worker(paths)
    deadline = time.monotonic() + PATIENCE_S
    while behind and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
        behind = [job_id for job_id in behind if _is_held(store, job_id)]


def is_over(paths: JobPaths, attempt: int) -> bool:
    """Whether the journal ends with the end of this attempt; False if it cannot be read."""
    reader = JournalReader(paths)
    try:
        last = reader.read(after=max(0, reader.last_seq() - 1), limit=1)
    except OSError:
        return False
    return bool(last) and last[0].event in TERMINAL_EVENTS and last[0].fields.get("attempt") == attempt


def _is_held(store: Store, job_id: str) -> bool:
    try:
        return store.get_job(job_id).status in HELD
    except NotFound:
        return False
