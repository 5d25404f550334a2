"""Writes the end of a run whose runner died before it could: the reports it had not journaled yet, then the last line.

Takes the journal's lock first, so that of two who find the body one writes; and kills what the run left alive.
"""

from __future__ import annotations

from dataclasses import dataclass

from isengard.core.paths import JobPaths
from isengard.core.settings import Settings
from isengard.events.models import EventName, Level
from isengard.execution import endings, inbox, lines, markers, process, spool
from isengard.execution.failure_fields import failure_fields
from isengard.execution.inbox import Command
from isengard.execution.launcher_local import last_words
from isengard.execution.outbox import Outbox
from isengard.execution.recorder import Failure, Recorder
from isengard.jobs.models import Job
from isengard.journal import JobFold, JournalReader
from isengard.trainers import registry
from isengard.trainers.base import Verdict


@dataclass(frozen=True, slots=True)
class RunnerDeath:
    """How a runner ended.

    Attributes:
        exit_code: None for one that was nobody's child any more.
        lost_host: The other host it ran on, which is down or cut off; None for a runner of this host.
        in_backup: It ran when a backup was made of which this folder was restored; where that was it may still run.
    """

    pid: int | None
    exit_code: int | None
    lost_host: str | None = None
    in_backup: bool = False

    @property
    def error_type(self) -> str:
        """The short name of the cause."""
        if self.in_backup:
            return "Interrupted"
        return "RunnerDied" if self.lost_host is None else "HostLost"

    @property
    def words(self) -> str:
        """The death in words, for the journal."""
        if self.in_backup:
            return "interrupted: the job was running when the backup was made from which it was restored"
        if self.lost_host is not None:
            return f"the host {self.lost_host} on which the job ran is down or cut off"
        who = "the job's runner" + (f" (process {self.pid})" if self.pid else "")
        if self.exit_code is None:
            return f"{who} is gone without a word: it was killed, or the machine went down"
        return (
            f"{who} was {endings.describe(self.exit_code)}"
            if self.exit_code < 0
            else (f"{who} ended with {endings.describe(self.exit_code)}")
        )


def finish_dead_run(settings: Settings, job: Job, death: RunnerDeath) -> None:
    """Kill what the run left alive, and `close` it; raises as that does."""
    process.kill_all(lambda: process.marked(process.mark(job.id, job.attempt)))
    close(settings, job, death)
    markers.clear(settings.paths.job(job.id))


def close(settings: Settings, job: Job, death: RunnerDeath) -> None:
    """Write the rest of the run and its terminal line, unless that is there already.

    Raises:
        JournalLocked: Somebody writes the journal: the runner lives after all, or another one ends it.
        StorageError: The disk refused; call again.
    """
    paths = settings.paths.job(job.id)
    with lines.writer(settings, job.id, service="worker", correlation_id=job.correlation_id) as journal:
        reader = JournalReader(paths)
        fold = JobFold.read(reader)
        if fold.status not in ("completed", "failed", "cancelled") and fold.attempt <= job.attempt:
            recorder = recorder_from(Outbox(journal), paths, fold, job.total_steps)
            recorder.attempt = job.attempt
            _drain(paths, recorder, last_report(reader, fold.last_seq))
            _last_line(paths, recorder, job, death, reader)
        journal.sync()


def recorder_from(outbox: Outbox, paths: JobPaths, fold: JobFold, steps_total: int) -> Recorder:
    """A recorder that goes on where the dead runner's stopped; `steps_total` counts if the journal names none."""
    return Recorder(
        outbox,
        paths,
        attempt=fold.attempt,
        steps_total=fold.steps_total or steps_total,
        step=fold.step or 0,
        stage=fold.stage or "initializing",
        status=fold.status if fold.status in ("running", "cancelling") else "running",
    )


def _drain(paths: JobPaths, recorder: Recorder, after: int) -> None:
    reader = spool.of_job(paths, after)
    try:
        for item in reader.rest():
            recorder.report(item.report, item.number)
    finally:
        reader.close()


def last_report(reader: JournalReader, last_seq: int) -> int:
    """The number of the last report of this attempt that is in the journal, searched backwards."""
    end = last_seq
    while end > 0:
        start = max(0, end - 500)
        for entry in reversed(reader.read(after=start, limit=end - start)):
            if entry.event == EventName.JOB_STARTED:
                return 0
            if isinstance(entry.fields.get("report"), int):
                return int(entry.fields["report"])
        end = start
    return 0


def _last_line(paths: JobPaths, recorder: Recorder, job: Job, death: RunnerDeath, reader: JournalReader) -> None:
    wanted_to_end = recorder.status == "cancelling" or job.status == "cancelling" or _cancel_waits(paths, job)
    outbox = recorder.outbox
    if wanted_to_end:
        recorder.status = recorder.stage = "cancelled"
        fields = {**recorder.state()}
        outbox.append(EventName.JOB_CANCELLED, f"cancelled; {death.words}", fields)
        return
    recorder.status = recorder.stage = "failed"
    verdict = _verdict(paths, recorder.failure, death)
    goes_on = not job.is_attended and registry.can_resume(job.trainer)
    fields = {
        **recorder.state(),
        **failure_fields(verdict, _last_lines(reader), job.config, can_resume=goes_on),
    }
    outbox.append(EventName.JOB_FAILED, fields["error"], fields, Level.ERROR)


def _verdict(paths: JobPaths, failure: Failure | None, death: RunnerDeath) -> Verdict:
    if failure is not None:
        return Verdict("failed", f"{failure.error} ({death.words})", failure.error_type, failure.stack)
    words = last_words(paths) if death.exit_code and death.exit_code > 0 else ""
    return Verdict("failed", f"{death.words}; {words}" if words else death.words, death.error_type)


def _cancel_waits(paths: JobPaths, job: Job) -> bool:
    return any(message.command in (Command.CANCEL, Command.KILL) for message in inbox.pending(paths, job.attempt))


def _last_lines(reader: JournalReader) -> list[str]:
    events = [EventName.SUBPROCESS_STDOUT, EventName.SUBPROCESS_STDERR]
    return [entry.msg for entry in reversed(reader.page(events=events, limit=20, offset=0, order="desc").entries)]
