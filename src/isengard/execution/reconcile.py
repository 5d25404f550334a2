"""Makes store and journals agree at a worker's start. What happened is in the journal, so the journal wins.

    journal with no row               the row is made again from ``job.created``, unless its request was
                                      repeated and became another job: then the folder is removed
    journal over, row not             the row ends
    journal resumed, row over         the row is queued again
    row over, journal not             the journal is told how it ended
    row running, no runner            supervised like any other: given back to the queue, or failed
    row queued or running, no journal the job has failed
    neither row nor a whole line      the folder is removed (`unborn.py`)

Run once, before the first turn, by the one worker of the data folder.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from isengard.core.clock import parse_utc
from isengard.core.errors import IsengardError, NotFound
from isengard.core.settings import Settings
from isengard.events.models import EventName
from isengard.execution import lines, unborn
from isengard.execution.artifacts import tombstones
from isengard.execution.job_supervisor import JobSupervisor, ending
from isengard.jobs.leases import folder_identity
from isengard.jobs.models import Job, JobStatus
from isengard.jobs.store import Store
from isengard.journal import JobFold, JournalReader

log = logging.getLogger(__name__)


def reconcile(settings: Settings, store: Store, supervisor: JobSupervisor) -> None:
    """Reconcile everything, and adopt what runs."""
    _sweep_tombstones(settings, store)
    mend_journals(settings, store)
    with _trouble_with("that was cut off while it was made"):
        unborn.sweep(settings, store)
    for job in _rows(store, (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.CANCELLING)):
        with _trouble_with(job.id):
            _close_row_without_journal(settings, store, job)
    mine = [supervisor.lease.registration.folder]
    for job in store.take_over(supervisor.lease.registration, homes=mine):
        with _trouble_with(job.id):
            supervisor.adopt(job)


def _journals(settings: Settings) -> list[str]:
    names = (path.name for path in settings.paths.jobs.iterdir() if (path / "events.jsonl").exists())
    return sorted(name for name in names if not name.startswith("."))


def _rows(store: Store, statuses: tuple[JobStatus, ...]) -> Iterator[Job]:
    cursor: str | None = None
    while True:
        page = store.list_jobs(status=statuses, limit=500, cursor=cursor)
        yield from page.jobs
        cursor = page.cursor
        if cursor is None:
            return


def mend_journals(settings: Settings, store: Store) -> None:
    """`reconcile_journal` for every job there is."""
    for job_id in _journals(settings):
        with _trouble_with(job_id):
            reconcile_journal(settings, store, job_id)


def reconcile_journal(settings: Settings, store: Store, job_id: str) -> None:
    """Make the row of one job agree with its journal."""
    reader = JournalReader(settings.paths.job(job_id))
    try:
        job = store.get_job(job_id)
    except NotFound:
        restored = _restore(settings, store, job_id, reader)
        if restored is None:
            return
        job = restored
    if job.status.is_terminal and reader.last_seq() == job.journal_seq:
        return
    fold = JobFold.read(reader)
    if fold.status is None and job.status.is_terminal:
        _close_journal(settings, job)
    elif fold.status is not None:
        _agree(settings, store, job, JobStatus(fold.status), fold, reader)


def _agree(settings: Settings, store: Store, job: Job, told: JobStatus, fold: JobFold, reader: JournalReader) -> None:
    if told is job.status and fold.attempt == job.attempt:
        return
    if told.is_terminal and not (job.status.is_terminal and fold.attempt == job.attempt):
        _follow_to_the_end(store, job, told, fold, reader)
    elif job.status.is_terminal and fold.attempt > job.attempt:
        log.warning("job %s: its journal resumed it; the store follows", job.id)
        store.transition(job.id, JobStatus.QUEUED, attempt=fold.attempt, current_step=fold.step or 0)
    elif job.status.is_terminal:
        _close_journal(settings, job)


def _follow_to_the_end(store: Store, job: Job, told: JobStatus, fold: JobFold, reader: JournalReader) -> None:
    log.warning("job %s: its journal says it is %s; the store follows", job.id, told)
    if job.status is JobStatus.QUEUED and told is JobStatus.COMPLETED:
        store.transition(job.id, JobStatus.RUNNING)
    elif job.status.is_terminal:
        store.transition(job.id, JobStatus.QUEUED)
        store.transition(job.id, JobStatus.RUNNING)
    store.transition(job.id, told, **ending(fold, reader))


def _close_journal(settings: Settings, job: Job) -> None:
    """The journal lost its end, as by a power cut or a damaged disk; its readers must not wait for one.

    Not the copy of one that another host writes: it ends when it has caught up.
    """
    if job.home not in (None, "", folder_identity(settings.data_dir)):
        return
    log.warning("job %s is %s, but its journal has no end; it is given one", job.id, job.status)
    lines.ended(settings, job)


def _restore(settings: Settings, store: Store, job_id: str, reader: JournalReader) -> Job | None:
    first = reader.read(after=0, limit=1)
    if not first or first[0].event != EventName.JOB_CREATED:
        return None
    fields = first[0].fields
    job = Job(
        id=job_id,
        character_id=str(fields["character_id"]),
        trainer=str(fields["trainer"]),
        config=dict(fields["config"]),
        correlation_id=first[0].correlation_id or "",
        created_at=parse_utc(str(fields.get("created_at", first[0].ts))),
        total_steps=int(fields.get("steps_total", 0)),
        traceparent=str(fields.get("traceparent", "")),
        priority=int(fields.get("priority", 0)),
        requirements=dict(fields.get("requirements", {})),
        idempotency_key=fields.get("idempotency_key"),
        request_fingerprint=fields.get("request_fingerprint"),
        has_secrets=settings.paths.job_secrets(job_id).exists(),
    )
    if job.is_attended:  # nobody may start it: it is taken over as one that runs, and failed if it does not
        job.status, job.home = JobStatus.RUNNING, folder_identity(settings.data_dir)
    found, restored = store.restore_job(job)
    if restored:
        log.warning("job %s had a journal but no row; it was restored", job_id)
    if found.id == job_id:
        return found
    if JobFold.read(reader).status in (None, JobStatus.QUEUED):  # nobody was told of it, and nothing has run
        log.warning("job %s was cut off while it was made, and asked for again as %s; it is removed", job_id, found.id)
        tombstones.set_aside(settings, job_id)
        tombstones.close(settings, tombstones.tombstone_of(settings.paths.job(job_id).root))
    return None


def _close_row_without_journal(settings: Settings, store: Store, job: Job) -> None:
    paths = settings.paths.job(job.id)
    if paths.journal.exists() or job.home not in (None, ""):
        return
    log.error("job %s has no journal; it is counted as failed", job.id)
    error = "the job's journal is missing: its folder was removed or the disk lost it"
    store.transition(job.id, JobStatus.FAILED, error_message=error, error_type="JournalMissing")


def _sweep_tombstones(settings: Settings, store: Store) -> None:
    """Finish deletions that were interrupted, or undo those that the store never heard of."""
    for tombstone in settings.paths.jobs.glob(".deleted-*"):
        job_id = tombstone.name.removeprefix(".deleted-")
        with contextlib.suppress(OSError, IsengardError):
            if store.has_job(job_id) and not settings.paths.job(job_id).root.exists():
                tombstones.undo(settings, job_id)
            else:
                tombstones.close(settings, tombstone)


@contextlib.contextmanager
def _trouble_with(job_id: str) -> Iterator[None]:
    """One job that cannot be reconciled must not keep the others from running."""
    try:
        yield
    except (IsengardError, OSError, KeyError, TypeError, ValueError) as error:
        log.error("job %s cannot be reconciled: %s", job_id, error)
