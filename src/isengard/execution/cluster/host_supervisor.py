"""What a worker of another host does for its jobs: claims and starts them, and ends those whose runner died here.

The site does the rest: it has the row follow the journal and decides about retries, when it has all the lines. A job's
folder disappears once the site has released the run, and with it the job from here.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from isengard.execution.cluster import host_agent
from isengard.execution.job_supervisor import NOT_NOW_S, Held, JobSupervisor
from isengard.execution.launcher_local import Runner, last_words
from isengard.jobs.models import Job, JobStatus
from isengard.journal import JobFold, JournalCursor

log = logging.getLogger(__name__)


@dataclass
class HostJobSupervisor(JobSupervisor):
    """The jobs of one worker of another host than the site's."""

    def turn(self) -> bool:
        """Look at everything once; whether there may be more to do at once."""
        if self.held:
            host_agent.ensure(self.settings)
        return super().turn()

    def _check(self, held: Held) -> None:
        if not held.paths.root.exists():
            log.info("job %s: the site has all of attempt %d", held.job.id, held.job.attempt)
            self._let_go(held)
            return
        alive = self._is_alive(held)
        held.catch_up()
        over = held.fold.attempt == held.job.attempt and held.fold.terminal_seq is not None
        if not alive and not over:
            self._lost(held)

    def _lost(self, held: Held) -> None:
        if held.fold.status in (None, "queued"):
            self._give_back(held)
            return
        self._finished_dead_run(held)

    def _give_back(self, held: Held) -> None:
        """The run never began: somebody may try it again later."""
        log.warning("job %s could not begin here: %s", held.job.id, last_words(held.paths) or "its runner is gone")
        self._let_go(held)
        shutil.rmtree(held.paths.root, ignore_errors=True)
        present = self.store.get_job(held.job.id)
        if present.fence == held.job.fence and present.status is JobStatus.RUNNING:
            later = datetime.now(UTC) + timedelta(seconds=NOT_NOW_S)
            self.store.transition(held.job.id, JobStatus.QUEUED, fence=held.job.fence, not_before=later)

    def _fail(self, held: Held, error: str, kind: str) -> None:
        log.error("job %s cannot be started here: %s", held.job.id, error)
        self._give_back(held)

    def _hold(self, job: Job, runner: Runner | None) -> Held:
        """Answer for a job. Its journal is opened later: what an earlier attempt left here is replaced first."""
        paths = self.settings.paths.job(job.id)
        self.held[job.id] = held = Held(job, paths, JournalCursor(paths), JobFold(), runner)
        return held

    def _has_capacity(self) -> bool:
        busy = sum(held.fold.terminal_seq is None for held in self.held.values())
        return busy < self._most()

    def _tell_progress(self) -> None:
        """The site does, from its own copy."""
