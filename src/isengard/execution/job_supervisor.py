"""What a worker does for the jobs it answers for: claims and launches them, follows their journals into the store,
ends those whose runner died, retries what is worth it. One turn at a time, in one thread; sleeps nowhere.

The runner's lock, not a pid, says whether a runner lives. Every write to the store carries the claim's fence, so a
worker that was replaced while it slept changes nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from isengard.core.clock import parse_utc
from isengard.core.correlation import Correlation, bind
from isengard.core.errors import Fenced, IllegalTransition, IsengardError, JournalLocked, StorageError
from isengard.core.paths import JobPaths
from isengard.core.settings import Settings
from isengard.execution import attachment, control, inbox, lines, process, runner_lock
from isengard.execution.capacity import Capacity
from isengard.execution.dead_runner import RunnerDeath, finish_dead_run
from isengard.execution.inbox import Command
from isengard.execution.launcher_local import Runner
from isengard.execution.worker_lease import WorkerLease
from isengard.jobs.models import Character, Job, JobStatus
from isengard.jobs.store import Progress, Store
from isengard.journal import Entry, JobFold, JournalCursor, JournalReader

log = logging.getLogger(__name__)

NOT_NOW_S = 10.0
"""How long a job waits that could not be started because the disk refused."""

Retry = Callable[[Job, Mapping[str, Any]], float | None]
"""Given a failed job and the fields of its last line: seconds until it is to be tried again, or None."""


class Launcher(Protocol):
    """Starts runners."""

    def launch(self, job: Job, character: Character) -> Runner | None:
        """Start the runner of the job's present attempt; None if it has one already, or none that is a process of ours.

        Raises:
            StorageError: It cannot be started now.
            OSError, IsengardError: It cannot be started.
        """
        ...


@dataclass(slots=True)
class Held:
    """A job this worker answers for.

    Attributes:
        cursor: Stands behind the last line that `fold` knows.
        runner: Its runner, if this process started it; None for an adopted one.
        told: What of the fold is in the store.
    """

    job: Job
    paths: JobPaths
    cursor: JournalCursor
    fold: JobFold
    runner: Runner | None = None
    told: Progress | None = None

    @property
    def story(self) -> Correlation:
        """What its present attempt belongs to."""
        return Correlation(self.fold.correlation_id or self.job.correlation_id, self.job.traceparent)

    def catch_up(self) -> None:
        """Fold in what was journaled since; raises OSError."""
        while lines := self.cursor.read_new():
            first = self.cursor.position - len(lines) + 1
            self.fold.apply_all(Entry.read(line, first + number) for number, line in enumerate(lines))


@dataclass(slots=True)
class JobSupervisor:
    """The jobs of one worker.

    Args:
        retry: Decides about automatic retries.
        alone: Whether this process has no children but runners, so that any other is an orphan of a dead run.
        room: What is free for further jobs at this moment.
    """

    settings: Settings
    store: Store
    lease: WorkerLease
    launcher: Launcher
    retry: Retry
    alone: bool = False
    capacity: Callable[[], Capacity] = Capacity
    held: dict[str, Held] = field(default_factory=dict)
    _leaving: list[Runner] = field(default_factory=list)

    def adopt(self, job: Job) -> None:
        """Answer for a job that another worker, or an earlier life of this one, had started."""
        self._guard(self._hold(job, None), self._greet)

    def turn(self) -> bool:
        """Look at everything once; whether there may be more to do at once."""
        self._leaving = [runner for runner in self._leaving if runner.exit_code() is None]
        for held in list(self.held.values()):
            self._guard(held, self._check)
        self._tell_progress()
        self._adopt_attended()
        return self._claim_next()

    # What runs.

    def _check(self, held: Held) -> None:
        alive = self._is_alive(held)  # asked before the journal is read: a death after that is seen next time
        held.catch_up()
        if held.fold.attempt == held.job.attempt and held.fold.terminal_seq is not None:
            self._finish(held)
        elif not alive:
            self._lost(held)
        elif held.fold.status == "cancelling" and held.job.status is JobStatus.RUNNING:
            held.job = self.store.transition(held.job.id, JobStatus.CANCELLING, fence=held.job.fence)

    def _greet(self, held: Held) -> None:
        if self._is_alive(held):
            self._announce(held)

    def _is_alive(self, held: Held) -> bool:
        """Whether the job's runner lives, or is just being started."""
        return runner_lock.is_held(held.paths)

    def _death(self, held: Held) -> RunnerDeath:
        """How the runner ended, once nothing of it can write to the journal any more."""
        exit_code = held.runner.popen.wait() if held.runner else None
        if self.alone:
            self._kill_orphans()
        return RunnerDeath(runner_lock.holder(held.paths), exit_code)

    def _has_capacity(self) -> bool:
        return len(self.held) < self._most()

    def _most(self) -> int:
        """How many jobs may run here at a time."""
        return self.settings.max_running_jobs or max(1, self.capacity().total)

    def _lost(self, held: Held) -> None:
        """The runner is gone without a terminal line: either it never was there, or it died."""
        if held.job.is_attended and self._lost_attended(held):
            return
        if held.runner is None and held.fold.status == "queued" and held.job.status is JobStatus.RUNNING:
            log.info("job %s was claimed but never started; it goes back into the queue", held.job.id)
            self.store.transition(held.job.id, JobStatus.QUEUED, fence=held.job.fence)
            self._let_go(held)
            return
        if not held.paths.root.exists():
            self._fail_without_folder(held)
            return
        if self._finished_dead_run(held):
            held.catch_up()
            self._finish(held)

    def _finished_dead_run(self, held: Held) -> bool:
        """Write the end of a runner that could not; False while somebody else writes it, which the next turn reads."""
        death = self._death(held)
        log.warning("job %s: %s", held.job.id, death.words)
        try:
            finish_dead_run(self.settings, held.job, death)
        except JournalLocked:
            self.lease.end_stopped_holder()  # or else a worker that sleeps with the lock would keep it for ever
            return False
        return True

    def _lost_attended(self, held: Held) -> bool:
        """Whether that was all there is to do for one that its maker started: nobody else may start it."""
        if held.fold.status == "queued":
            self._fail(held, "whoever began it ended before its runner was started", "NeverStarted")
            return True
        return attachment.is_alive(held.paths)  # a script starts another runner by itself

    def _fail_without_folder(self, held: Held) -> None:
        log.error("the folder of job %s was removed while it ran", held.job.id)
        self.store.transition(
            held.job.id,
            JobStatus.FAILED,
            fence=held.job.fence,
            error_message="the job's folder was removed while it ran",
            error_type="JournalMissing",
        )
        self._let_go(held)

    def _finish(self, held: Held) -> None:
        fold = held.fold
        if fold.terminal_seq is None or fold.status is None:
            return
        wanted = JobStatus(fold.status)
        known = ending(fold, JournalReader(held.paths))
        if "output_path" in known:
            self.store.update_character(held.job.character_id, lora_path=known["output_path"])
        self.store.transition(held.job.id, wanted, fence=held.job.fence, **known)
        self._let_go(held)
        log.info("job %s is %s", held.job.id, wanted)
        if wanted is JobStatus.FAILED and not held.job.is_attended:
            self._try_again(held)

    def _try_again(self, held: Held) -> None:
        delay = self.retry(held.job, _terminal_fields(held.fold, JournalReader(held.paths)))
        if delay is None:
            return
        log.info("job %s is tried again in %.0f s", held.job.id, delay)
        not_before = datetime.now(UTC) + timedelta(seconds=delay)
        control.resume(self.settings, self.store, held.job.id, retries=held.job.retries + 1, not_before=not_before)

    def _tell_progress(self) -> None:
        changed = [(held, progress) for held in self.held.values() if (progress := _progress(held)) != held.told]
        refused = self.store.update_progress(*(progress for _, progress in changed))
        for held, progress in changed:
            held.told = progress
            if held.job.id in refused:
                self._let_go(held)

    # What waits.

    def _adopt_attended(self) -> None:
        """Answer for jobs of this folder that were started without a worker, since this one came or before."""
        mine = self.lease.registration.folder
        if any(job.home == mine for job in self.store.unheld_jobs()):
            for job in self.store.take_over(self.lease.registration, homes=[mine]):
                self.adopt(job)

    def _claim_next(self) -> bool:
        if not self._has_capacity():
            return False
        capacity = self.capacity()
        if capacity.total:
            capacity.alone = len(self.store.workers()) == 1
        job = self.store.claim(self.lease.registration, fits=capacity.fits)
        if job is None:
            return False
        held = self._hold(job, None)
        self._guard(held, self._launch)
        return True

    def _launch(self, held: Held) -> None:
        job = held.job
        try:
            held.runner = self.launcher.launch(job, self.store.get_character(job.character_id))
        except StorageError as error:
            log.warning("job %s cannot be started now: %s", job.id, error.detail)
            later = datetime.now(UTC) + timedelta(seconds=NOT_NOW_S)
            self.store.transition(job.id, JobStatus.QUEUED, fence=job.fence, not_before=later)
            self._let_go(held)
        except (OSError, IsengardError) as error:
            self._fail(held, str(error), type(error).__name__)
        else:
            self._launched(held)

    def _launched(self, held: Held) -> None:
        if held.runner is None:
            self._announce(held)  # it has a runner already
        else:
            log.info("job %s: attempt %d started as process %d", held.job.id, held.job.attempt, held.runner.pid)

    def _fail(self, held: Held, error: str, kind: str) -> None:
        log.error("job %s cannot be started: %s", held.job.id, error)
        lines.failed_before_start(self.settings, held.job, error, kind, service="worker")
        held.catch_up()
        self._finish(held)

    # Common to both.

    def _guard(self, held: Held, action: Callable[[Held], None]) -> None:
        """Carry out `action`, as a part of the job's story; one job's trouble is not another's."""
        with bind(held.story):
            self._try(held, action)

    def _try(self, held: Held, action: Callable[[Held], None]) -> None:
        try:
            action(held)
        except Fenced:
            log.warning("job %s was taken over by another worker", held.job.id)
            self._let_go(held)
        except IllegalTransition:
            held.job = self.store.get_job(held.job.id)  # somebody's cancel was quicker
        except StorageError as error:
            log.warning("job %s: %s; trying again", held.job.id, error.detail)
        except Exception:  # whatever it is, the other jobs must go on
            log.exception("job %s cannot be looked after; trying again", held.job.id)

    def _hold(self, job: Job, runner: Runner | None) -> Held:
        paths = self.settings.paths.job(job.id)
        self.held[job.id] = held = Held(job, paths, JournalCursor(paths), JobFold(), runner)
        with contextlib.suppress(OSError):  # the job is ours all the same; `_check` tries again, and says so
            held.catch_up()
        return held

    def _let_go(self, held: Held) -> None:
        self.held.pop(held.job.id, None)
        held.cursor.close()
        if held.runner is not None:
            self._leaving.append(held.runner)

    def _announce(self, held: Held) -> None:
        with bind(held.story):
            log.info("job %s goes on under its runner; adopting it", held.job.id)
        try:
            inbox.put(
                held.paths,
                Command.ADOPT,
                attempt=held.job.attempt,
                sender=self.lease.registration.id,
                correlation_id=held.story.id,
            )
        except OSError as error:
            log.warning("job %s cannot be told of its adoption: %s", held.job.id, error.strerror)

    def _kill_orphans(self) -> None:
        """Children of ours that are no runners came to us when their runner died (we are a subreaper)."""
        runners = {held.runner.pid for held in self.held.values() if held.runner}
        runners |= {runner.pid for runner in self._leaving}
        kept = runners | {pid for runner in runners for pid in process.descendants(runner)}
        process.kill_all(lambda: set(process.descendants(os.getpid())) - kept)


def ending(fold: JobFold, reader: JournalReader) -> dict[str, Any]:
    """What the store keeps of a terminal line."""
    fields = _terminal_fields(fold, reader)
    known = {
        "attempt": fold.attempt,
        "current_step": fold.step,
        "total_steps": fold.steps_total,
        "progress": fold.progress_pct,
        "current_loss": fold.loss,
        "error_message": fields.get("error"),
        "error_type": fields.get("error_type"),
        "failure_fingerprint": fields.get("failure_fingerprint"),
        "output_path": fields.get("output_path"),
        "started_at": _moment(fold.started_at),
        "completed_at": _moment(fold.completed_at),
        "journal_seq": fold.last_seq,
    }
    return {name: value for name, value in known.items() if value is not None}


def _terminal_fields(fold: JobFold, reader: JournalReader) -> dict[str, Any]:
    if not fold.terminal_seq:
        return {}
    found = reader.read(after=fold.terminal_seq - 1, limit=1)
    return dict(found[0].fields) if found else {}


def _moment(text: str | None) -> datetime | None:
    return parse_utc(text) if text else None


def _progress(held: Held) -> Progress:
    fold = held.fold
    return Progress(
        job_id=held.job.id,
        fence=held.job.fence,
        stage=fold.stage,
        progress=fold.progress_pct,
        current_step=fold.step,
        total_steps=fold.steps_total,
        current_loss=fold.loss,
        eta_seconds=fold.eta_seconds,
        journal_seq=fold.last_seq,
    )
