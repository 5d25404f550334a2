"""A process that makes jobs, ends them in every way, and notes each status once the call that made it so returned.

``clerk.py FOLDER CHARACTER``. The notes go to ``FOLDER/confirmed``, so that the record of the disk shows when.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from isengard.core.settings import Settings
from isengard.events.models import EventName
from isengard.execution import control, lines
from isengard.jobs.models import Job, JobStatus
from isengard.jobs.store import Store, open_store

JOBS = 12


def main(folder: Path, character: str) -> None:
    settings = Settings(data_dir=folder)
    store = open_store(settings)
    notes = os.open(folder / "confirmed", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(job: Job) -> None:
        os.write(notes, f"{job.id} {job.status.value}\n".encode())

    for number in range(JOBS):
        job, _ = control.submit(settings, store, character_id=character, trainer="mock")
        note(job)
        if number % 3 == 1:
            note(control.cancel(settings, store, job.id))
        elif number % 3 == 2:
            note(_run(settings, store, job))


def _run(settings: Settings, store: Store, job: Job) -> Job:
    """What a runner and its worker do to journal and store, without the training."""
    running = store.transition(job.id, JobStatus.RUNNING)
    state = {"status": "running", "attempt": 1, "step": 0, "steps_total": 1}
    with lines.writer(settings, job.id, service="runner", correlation_id=job.correlation_id) as journal:
        journal.append(EventName.JOB_STARTED, "attempt 1 started", state)
        journal.append(EventName.JOB_COMPLETED, "completed", {**state, "status": "completed", "step": 1})
    return store.transition(running.id, JobStatus.COMPLETED, current_step=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
