"""What the site's worker does beyond its own jobs: it also answers for the runs on other hosts.

A run on another host has no lock here. It lives while its host is heard of; before it has begun, while its worker is.
Silence is counted on this process's monotonic clock and only while Redis answers here, so neither a clock nor an outage
of Redis nor a suspended machine can condemn a host.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from isengard.core.correlation import Correlation
from isengard.execution import lines, runner_lock
from isengard.execution.cluster import runs
from isengard.execution.cluster.coordinator import Coordinator
from isengard.execution.cluster.runs import RemoteRun
from isengard.execution.dead_runner import RunnerDeath
from isengard.execution.job_supervisor import NOT_NOW_S, Held, JobSupervisor
from isengard.jobs.leases import LeaseObserver, Worker
from isengard.jobs.models import Job, JobStatus

log = logging.getLogger(__name__)


@dataclass
class SiteJobSupervisor(JobSupervisor):
    """The jobs of the site's worker, and those of other hosts.

    Args:
        coordinator: Where those are heard of.
    """

    coordinator: Coordinator = field(kw_only=True)
    observer: LeaseObserver = field(kw_only=True)
    _workers: dict[str, Worker] = field(default_factory=dict, kw_only=True)
    _lost_workers: set[str] = field(default_factory=set, kw_only=True)

    def turn(self) -> bool:
        """Look at everything once; whether there may be more to do at once."""
        self._look_at_workers()
        self._take_in()
        return super().turn()

    def _look_at_workers(self) -> None:
        present = self.store.workers()
        self._workers = {worker.id: worker for worker in present}
        mine = self.lease.registration.id
        self._lost_workers = {lost.id for lost in self.observer.look([each for each in present if each.id != mine])}

    def _take_in(self) -> None:
        """Answer for what runs on other hosts, since now or since before."""
        for job in self.store.held_jobs():
            held = self.held.get(job.id)
            if held is not None:
                held.job = job if self._is_foreign(job) else held.job
            elif self._is_foreign(job):
                self._hold(job, None)

    def _is_foreign(self, job: Job) -> bool:
        return job.home != self.lease.registration.folder

    def _is_alive(self, held: Held) -> bool:
        if runner_lock.is_held(held.paths):
            return True
        run = self._run(held)
        if run is not None and held.fold.status != "queued":
            return self.coordinator.silent_s(run) < self.settings.lost_host_s
        return held.job.status is not JobStatus.CANCELLING and self._is_beginning(held)

    def _lost(self, held: Held) -> None:
        if held.fold.status != "queued" or held.job.is_attended:
            if not self._is_alive(held):  # it may have begun since that was asked
                super()._lost(held)
        elif held.job.status is JobStatus.CANCELLING:
            self._end_unbegun(held)
        elif not (self._is_foreign(held.job) and self._has_worker(held.job)):
            self._requeue(held)
        # What another host's worker claimed and did not begin, that worker gives back.

    def _has_worker(self, job: Job) -> bool:
        return job.worker_id in self._workers and job.worker_id not in self._lost_workers

    def _end_unbegun(self, held: Held) -> None:
        """Cancel a job that waits for its host; one that begins all the same finds that it is not wanted."""
        if (run := self._run(held)) is not None:
            self.coordinator.give_up(run)
        ended = dataclasses.replace(held.job, status=JobStatus.CANCELLED, stage=JobStatus.CANCELLED.value)
        lines.cancelled_before_start(self.settings, ended, Correlation(held.job.correlation_id, held.job.traceparent))
        held.catch_up()
        self._finish(held)

    def _requeue(self, held: Held) -> None:
        log.warning("job %s could not begin%s; it goes back into the queue", held.job.id, self._reason(held))
        later = datetime.now(UTC) + timedelta(seconds=NOT_NOW_S)
        self.store.transition(held.job.id, JobStatus.QUEUED, fence=held.job.fence, not_before=later)
        self._let_go(held)

    def _reason(self, held: Held) -> str:
        """Why it could not, for the log; empty if that is not known here."""
        return ""

    def _is_beginning(self, held: Held) -> bool:
        """Whether somebody is about to begin the run."""
        return self._is_foreign(held.job) and self._has_worker(held.job)

    def _death(self, held: Held) -> RunnerDeath:
        run = self._run(held)
        if run is None:
            return super()._death(held)
        self.coordinator.give_up(run)
        return RunnerDeath(None, None, run.host)

    def _run(self, held: Held) -> RemoteRun | None:
        run = runs.read(held.paths)
        return run if run is not None and run.attempt == held.job.attempt and run.host else None

    def _has_capacity(self) -> bool:
        if self.settings.launcher == "none":
            return False
        own = sum(not self._is_foreign(held.job) for held in self.held.values())
        return own < self._most()
