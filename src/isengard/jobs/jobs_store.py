"""Jobs in the database: making, reading, moving along the state machine, progress. Claims are `lease_store`'s.

Every change of a status goes through `transition` or `claim`, both of which ask `check_transition` inside the
transaction that writes. Writes no journal; `before_commit` is where a caller writes it inside the same transaction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict, Unpack

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, or_, select, update

from isengard.core.errors import Conflict, Fenced, InvalidInput, NotFound
from isengard.jobs import cursors
from isengard.jobs.database import Database
from isengard.jobs.lease_store import begin_at_birth
from isengard.jobs.models import HELD, Job, JobPage, JobStatus, check_transition
from isengard.jobs.schema import characters, jobs

MAX_PAGE = 1000
_FARTHEST_AHEAD = timedelta(days=1)


class JobChanges(TypedDict, total=False):
    """What may change together with a status."""

    stage: str
    attempt: int
    retries: int
    priority: int
    progress: float
    current_step: int
    total_steps: int
    current_loss: float | None
    eta_seconds: float | None
    error_message: str | None
    error_type: str | None
    failure_fingerprint: str | None
    output_path: str | None
    not_before: datetime | None
    queued_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    journal_seq: int
    config: dict[str, Any]
    correlation_id: str
    traceparent: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a running job stands; a field that is None is left as it is in the store."""

    job_id: str
    fence: int
    stage: str | None = None
    progress: float | None = None
    current_step: int | None = None
    total_steps: int | None = None
    current_loss: float | None = None
    eta_seconds: float | None = None
    journal_seq: int | None = None

    def changes(self) -> dict[str, Any]:
        """The columns to write."""
        known = {name: getattr(self, name) for name in _PROGRESS_COLUMNS}
        return {name: value for name, value in known.items() if value is not None}


_PROGRESS_COLUMNS = tuple(spec.name for spec in dataclasses.fields(Progress) if spec.name not in ("job_id", "fence"))


class JobStore:
    """The part of the store that holds jobs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def create_job(
        self, job: Job, *, before_commit: Callable[[Job], None] | None = None, home: str | None = None
    ) -> tuple[Job, bool]:
        """Insert a queued job, or find the one that the same request made before.

        Args:
            job: As it is to stand; its status must be queued.
            before_commit: Called with the job inside the transaction, after the row was accepted and only for a new
                one. Whatever it raises undoes the row and is passed on.
            home: The data folder on which the caller starts the job's runner itself: the job comes back running,
                claimed under a fence, and no worker can have started it in between.

        Returns:
            The job and whether it is new. It is not when its `idempotency_key` was used by an equal request.

        Raises:
            NotFound: Its character does not exist.
            Conflict: The key was used with another request (`request_fingerprint` differs).
            CommitUncertain: The row may or may not exist; leave the journal, the next start settles it.
        """
        if job.status is not JobStatus.QUEUED:
            raise ValueError("a job is born queued")
        job = dataclasses.replace(job, updated_at=job.created_at)
        with self._db.write() as connection:
            self._hold_character(connection, job.character_id)
            job = dataclasses.replace(job, queued_at=_behind_the_queue(connection, job.queued_at or job.created_at))
            if not self._insert(connection, job):
                return _same_request(_by_key(connection, job), job), False
            if before_commit is not None:
                before_commit(job)
            return (job if home is None else begin_at_birth(connection, job, home)), True

    def restore_job(self, job: Job) -> tuple[Job, bool]:
        """Give a job its row back, as its journal tells it; the character need not exist any more.

        Returns:
            The job in the store and whether it was restored: not if the row is there (then that one is returned as it
            is), nor if another job has its idempotency key (then that other job).
        """
        with self._db.write() as connection:
            if self._insert(connection, job):
                return job, True
            row = connection.execute(select(jobs).where(jobs.c.id == job.id)).first()
            return (_job(row) if row is not None else _by_key(connection, job)), False

    def get_job(self, job_id: str) -> Job:
        """The job; raises `NotFound`."""
        with self._db.read() as connection:
            return _one(connection, job_id)

    def has_job(self, job_id: str) -> bool:
        """Whether there is a job of this id."""
        with self._db.read() as connection:
            return connection.execute(select(jobs.c.id).where(jobs.c.id == job_id)).first() is not None

    def find_job(self, idempotency_key: str) -> Job | None:
        """The job made by a request with this key."""
        with self._db.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.idempotency_key == idempotency_key)).first()
            return None if row is None else _job(row)

    def list_jobs(
        self,
        *,
        status: str | Iterable[JobStatus] | None = None,
        character_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobPage:
        """One page of jobs, newest first.

        Args:
            status: Only these: members, or their names with commas between.
            limit: 1 to 1000.
            cursor: `JobPage.cursor` of the page before. Jobs made or deleted meanwhile shift nothing.

        Raises:
            InvalidInput: An unknown status, a limit out of range or a cursor that no page gave.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidInput(f"limit is {limit}; it must be 1 to {MAX_PAGE}", field="limit")
        query = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit + 1)
        if status is not None:
            query = query.where(jobs.c.status.in_(sorted(parse_statuses(status))))
        if character_id is not None:
            query = query.where(jobs.c.character_id == character_id)
        if cursor is not None:
            created_at, last_id = cursors.decode(cursor)
            same_moment = and_(jobs.c.created_at == created_at, jobs.c.id < last_id)
            query = query.where(or_(jobs.c.created_at < created_at, same_moment))
        with self._db.read() as connection:
            found = [_job(row) for row in connection.execute(query)]
        more = len(found) > limit
        last = found[limit - 1] if more else None
        return JobPage(found[:limit], cursors.encode(last.created_at, last.id) if last else None)

    def count_jobs(self) -> dict[JobStatus, int]:
        """How many jobs have each status, zeros included."""
        with self._db.read() as connection:
            rows = connection.execute(select(jobs.c.status, func.count()).group_by(jobs.c.status))
            counted = {row[0]: int(row[1]) for row in rows}
        return {status: counted.get(status, 0) for status in JobStatus}

    def failed_alike(self, job: Job, failure_fingerprint: str, *, limit: int = 5) -> tuple[int, list[str]]:
        """How many jobs made before `job` failed with this fingerprint, and the ids of the newest of them."""
        is_alike = and_(jobs.c.failure_fingerprint == failure_fingerprint, jobs.c.created_at < job.created_at)
        newest = select(jobs.c.id).where(is_alike).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit)
        with self._db.read() as connection:
            count = connection.execute(select(func.count()).select_from(jobs).where(is_alike)).scalar_one()
            return int(count), list(connection.execute(newest).scalars())

    def transition(
        self,
        job_id: str,
        wanted: JobStatus,
        *,
        fence: int | None = None,
        before_commit: Callable[[Job], None] | None = None,
        **changes: Unpack[JobChanges],
    ) -> Job:
        """Move a job to another status; the job as it then stands.

        What follows from the status is set unless `changes` says otherwise: `completed_at` and the release of the
        claim at an end, a clean slate when it is queued again.

        Args:
            fence: The caller's claim; None for those who need none (a person's cancel or resume).
            before_commit: Called with the changed job inside the transaction; what it raises undoes the change.

        Raises:
            NotFound: There is no such job.
            IllegalTransition: The state machine does not connect the two.
            Fenced: Another worker has claimed the job since.
        """
        with self._db.write() as connection:
            present = _one(connection, job_id, database=self._db)
            if fence is not None and present.fence != fence:
                raise Fenced(f"job {job_id} was taken over by another worker", field="job_id")
            check_transition(job_id, present.status, wanted)
            values = {**_consequences(wanted, connection), **changes}
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(status=wanted, **values))
            changed = _one(connection, job_id)
            if before_commit is not None:
                before_commit(changed)
            return changed

    def update_progress(self, *progress: Progress) -> set[str]:
        """Write where running jobs stand, all in one transaction, touching nothing but the columns of `Progress`.

        Returns:
            The ids that were left alone: not held under the given fence any more.
        """
        if not progress:
            return set()
        with self._db.write() as connection:
            mine = self._held_under(connection, {item.job_id: item.fence for item in progress})
            for columns, rows in _by_columns(item for item in progress if item.job_id in mine):
                values: dict[str, Any] = {name: bindparam(name) for name in columns}
                statement = (
                    update(jobs).where(jobs.c.id == bindparam("job")).values(**values, updated_at=datetime.now(UTC))
                )
                connection.execute(statement, rows)
        return {item.job_id for item in progress} - mine

    def set_priority(self, job_id: str, priority: int) -> Job:
        """Change a job's place in the queue; raises `NotFound`."""
        with self._db.write() as connection:
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(priority=priority))
            return _one(connection, job_id)

    def delete_job(self, job_id: str, *, before_commit: Callable[[Job], None] | None = None) -> Job:
        """Delete the row of a job that is over.

        Raises:
            NotFound: There is no such job.
            Conflict: It is queued or running.
        """
        with self._db.write() as connection:
            present = _one(connection, job_id, database=self._db)
            if not present.status.is_terminal:
                raise Conflict(f"job {job_id} is {present.status}; cancel it first", field="status")
            connection.execute(delete(jobs).where(jobs.c.id == job_id))
            if before_commit is not None:
                before_commit(present)
            return present

    def _held_under(self, connection: Connection, fences: dict[str, int]) -> set[str]:
        """Which of these jobs are still held under the given fence; their rows stay locked, in one order for all."""
        query = select(jobs.c.id, jobs.c.fence).where(jobs.c.id.in_(fences), jobs.c.status.in_(sorted(HELD)))
        rows = connection.execute(self._db.locking(query.order_by(jobs.c.id)))
        return {row.id for row in rows if row.fence == fences[row.id]}

    def _hold_character(self, connection: Connection, character_id: str) -> None:
        query = select(characters.c.id).where(characters.c.id == character_id)
        if connection.execute(self._db.locking(query, share=True)).first() is None:
            raise NotFound(f"no character has the id {character_id[:80]!r}", field="character_id")

    def _insert(self, connection: Connection, job: Job) -> bool:
        values = {column.name: getattr(job, column.name) for column in jobs.c}
        inserted = connection.execute(self._db.insert_if_new(jobs, **values).returning(jobs.c.id))
        return inserted.first() is not None


def parse_statuses(status: str | Iterable[JobStatus]) -> frozenset[JobStatus]:
    """Statuses from a comma list or from members; raises `InvalidInput` naming an unknown one."""
    names: Collection[str] = status.split(",") if isinstance(status, str) else list(status)
    known = {member.value for member in JobStatus}
    for name in names:
        if name.strip() not in known:
            raise InvalidInput(
                f"{name.strip()[:40]!r} is no status; there are {', '.join(member.value for member in JobStatus)}",
                field="status",
            )
    return frozenset(JobStatus(name.strip()) for name in names)


def _by_columns(progress: Iterable[Progress]) -> Iterable[tuple[tuple[str, ...], list[dict[str, Any]]]]:
    """Rows to write, those that set the same columns together: the database prepares one statement for each group."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for item in progress:
        changes = item.changes()
        if changes:
            groups.setdefault(tuple(changes), []).append({"job": item.job_id, **changes})
    return groups.items()


def _behind_the_queue(connection: Connection, moment: datetime) -> datetime:
    """`moment`, or just behind the last job that waits, if the clock was set back since that one came.

    What waits under a moment more than a day ahead came under a clock that was plainly wrong, and is not followed.
    """
    in_sight = (jobs.c.status == JobStatus.QUEUED, jobs.c.queued_at <= moment + _FARTHEST_AHEAD)
    last: datetime | None = connection.execute(select(func.max(jobs.c.queued_at)).where(*in_sight)).scalar()
    return moment if last is None or last < moment else last + timedelta(microseconds=1)


def _consequences(wanted: JobStatus, connection: Connection) -> dict[str, Any]:
    now = datetime.now(UTC)
    values: dict[str, Any] = {"updated_at": now}
    if wanted.is_terminal:
        values |= {"completed_at": now, "worker_id": None, "eta_seconds": None, "stage": wanted.value}
    if wanted is JobStatus.QUEUED:
        values |= {
            "queued_at": _behind_the_queue(connection, now),
            "stage": "queued",
            "worker_id": None,
            "fence": 0,
            "completed_at": None,
            "eta_seconds": None,
            "error_message": None,
            "error_type": None,
            "failure_fingerprint": None,
        }
    return values


def _one(connection: Connection, job_id: str, *, database: Database | None = None) -> Job:
    """The job; with `database`, its row stays locked until the end of the transaction."""
    query = select(jobs).where(jobs.c.id == job_id)
    row = connection.execute(database.locking(query) if database else query).first()
    if row is None:
        raise NotFound(f"no job has the id {job_id[:80]!r}", field="job_id")
    return _job(row)


def _by_key(connection: Connection, job: Job) -> Job:
    query = select(jobs).where(or_(jobs.c.idempotency_key == job.idempotency_key, jobs.c.id == job.id))
    return _job(connection.execute(query).one())


def _same_request(earlier: Job, job: Job) -> Job:
    if earlier.request_fingerprint != job.request_fingerprint:
        raise Conflict(
            f"the idempotency key was used before with a different request, which made job {earlier.id}",
            field="Idempotency-Key",
        )
    return earlier


def _job(row: Row[Any]) -> Job:
    return Job(**row._mapping)
