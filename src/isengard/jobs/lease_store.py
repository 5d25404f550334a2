"""Claims in the database: workers, their beats, who may start or take over which job, and whether the queue moves.

`jobs/leases.py` decides when a worker is lost; here that decision is carried out, and refused if the lost one showed a
sign of life after all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, or_, select, true, update

from isengard.core.errors import Conflict, Fenced
from isengard.jobs.database import Database
from isengard.jobs.leases import Holder, Worker
from isengard.jobs.models import HELD, Job, JobStatus, QueueState, check_transition
from isengard.jobs.schema import counters, jobs, queue, workers

_FENCE = "fence"
_QUEUE = "default"
_MAX_PASSED_OVER = 100
LONGEST_WAIT = timedelta(minutes=30)
"""How long a job is put off at most."""
_CLOCKS_DIFFER = timedelta(minutes=5)
_ORDER = (jobs.c.priority.desc(), jobs.c.queued_at, jobs.c.created_at, jobs.c.id)


class LeaseStore:
    """The part of the store that holds workers, claims and the queue."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def workers(self) -> list[Worker]:
        """Every registered worker, living or not."""
        with self._db.read() as connection:
            return [Worker(**row._mapping) for row in connection.execute(select(workers).order_by(workers.c.id))]

    def register_worker(self, holder: Holder, *, replacing: Worker | None = None) -> Worker:
        """Make `holder` the worker of its data folder.

        Args:
            holder: The calling process.
            replacing: The folder's present worker, as the caller last saw it before `LeaseObserver` called it lost.

        Raises:
            Conflict: The folder has a worker that is not `replacing`, or that has shown a beat since.
        """
        now = datetime.now(UTC)
        with self._db.write() as connection:
            if replacing is not None:
                self._remove_lost(connection, replacing)
            worker = Worker(
                **dataclasses.asdict(holder), beat=0, fence=_next_fence(connection), registered_at=now, beat_at=now
            )
            present = connection.execute(select(workers).where(workers.c.folder == holder.folder)).first()
            if present is not None:
                raise _folder_taken(Worker(**present._mapping))
            connection.execute(insert(workers).values(**dataclasses.asdict(worker)))
            return worker

    def beat(self, worker: Worker) -> None:
        """Show a sign of life; raises `Fenced` when the worker was replaced."""
        with self._db.write() as connection:
            advanced = {"beat": workers.c.beat + 1, "beat_at": datetime.now(UTC)}
            if connection.execute(update(workers).where(workers.c.id == worker.id).values(**advanced)).rowcount == 0:
                raise _fenced(worker)

    def claim(self, worker: Worker, *, fits: Callable[[Job], bool] | None = None) -> Job | None:
        """Take the next queued job: highest priority first, then longest in the queue.

        Args:
            fits: Whether the worker has room for this job; those it refuses are passed over. It must be quick and
                must not use the store.

        Returns:
            The job, now running under a new fence, or None: nothing waits, nothing fits or the queue is paused.

        Raises:
            Fenced: The worker was replaced.
        """
        now = datetime.now(UTC)
        with self._db.write() as connection:
            self._hold_worker(connection, worker)
            if _paused(connection):
                return None
            job = self._next_queued(connection, now, fits)
            if job is None:
                return None
            check_transition(job.id, job.status, JobStatus.RUNNING)
            taken = dataclasses.replace(
                job,
                status=JobStatus.RUNNING,
                stage="initializing",
                worker_id=worker.id,
                home=worker.folder,
                fence=_next_fence(connection),
                started_at=now,
                not_before=None,
                updated_at=now,
            )
            names = ("status", "stage", "worker_id", "home", "fence", "started_at", "not_before", "updated_at")
            values = {name: getattr(taken, name) for name in names}
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(**values))
            return taken

    def jobs_held_by(self, worker_id: str) -> list[Job]:
        """The running and cancelling jobs that this worker answers for, in the order they were started."""
        return self._held(jobs.c.worker_id == worker_id)

    def held_jobs(self) -> list[Job]:
        """Every running and cancelling job, whoever answers for it, in the order they were started."""
        return self._held(true())

    def unheld_jobs(self) -> list[Job]:
        """The running and cancelling jobs whose worker is registered no more."""
        return self._held(_without_worker())

    def take_over(
        self, worker: Worker, *, lost: Worker | None = None, homes: Collection[str] | None = None
    ) -> list[Job]:
        """Claim, under new fences, the running and cancelling jobs that nobody answers for.

        Args:
            lost: A worker that `LeaseObserver` called lost, as last seen; it is struck off first, with its jobs.
            homes: Only jobs whose runner was started on one of these data folders; None for all.

        Raises:
            Fenced: `worker` itself was replaced.
            Conflict: `lost` has shown a beat since.
        """
        with self._db.write() as connection:
            self._hold_worker(connection, worker)
            if lost is not None:
                self._remove_lost(connection, lost)
            query = select(jobs).where(jobs.c.status.in_(sorted(HELD)), _without_worker()).order_by(jobs.c.id)
            if homes is not None:
                query = query.where(jobs.c.home.in_(sorted(homes)))
            rows = connection.execute(self._db.locking(query, skip_locked=True)).all()
            return [_hand_to(connection, worker, Job(**row._mapping)) for row in rows]

    def release(self, worker: Worker) -> None:
        """Leave: strike the worker off. Its running jobs run on and wait for `take_over`."""
        with self._db.write() as connection:
            connection.execute(delete(workers).where(workers.c.id == worker.id))

    def pause_queue(self, reason: str | None = None) -> None:
        """Let no further job start; those that run go on."""
        self._set_paused(True, reason)

    def resume_queue(self) -> None:
        """Let jobs start again."""
        self._set_paused(False, None)

    def queue_paused(self) -> bool:
        """Whether the queue is paused."""
        with self._db.read() as connection:
            return _paused(connection)

    def queue_state(self) -> QueueState:
        """Whether the queue is paused, and why."""
        with self._db.read() as connection:
            row = connection.execute(select(queue).where(queue.c.name == _QUEUE)).one()
        return QueueState(row.paused, row.reason, row.changed_at)

    def waiting_jobs(self, limit: int = 1000) -> list[Job]:
        """The queued jobs in the order in which they are started, those that wait for a retry among them."""
        query = select(jobs).where(jobs.c.status == JobStatus.QUEUED).order_by(*_ORDER).limit(limit)
        with self._db.read() as connection:
            return [Job(**row._mapping) for row in connection.execute(query)]

    def _set_paused(self, paused: bool, reason: str | None) -> None:
        with self._db.write() as connection:
            values = {"paused": paused, "reason": reason, "changed_at": datetime.now(UTC)}
            connection.execute(update(queue).where(queue.c.name == _QUEUE).values(**values))

    def _next_queued(self, connection: Connection, now: datetime, fits: Callable[[Job], bool] | None) -> Job | None:
        """The first job in the queue that fits, locked; jobs that another worker is just claiming are skipped."""
        passed_over: list[str] = []
        while len(passed_over) < _MAX_PASSED_OVER:
            query = (
                select(jobs)
                .where(jobs.c.status == JobStatus.QUEUED, jobs.c.id.not_in(passed_over))
                .where(_is_due(now))
                .order_by(*_ORDER)
                .limit(1)
            )
            row = connection.execute(self._db.locking(query, skip_locked=True)).first()
            if row is None:
                return None
            job = Job(**row._mapping)
            if fits is None or fits(job):
                return job
            passed_over.append(job.id)
        return None

    def _hold_worker(self, connection: Connection, worker: Worker) -> None:
        """Keep `worker` from being replaced until the end of the transaction; raises `Fenced` if it was."""
        query = select(workers.c.id).where(workers.c.id == worker.id)
        if connection.execute(self._db.locking(query, share=True)).first() is None:
            raise _fenced(worker)

    def _remove_lost(self, connection: Connection, lost: Worker) -> None:
        unchanged = and_(workers.c.id == lost.id, workers.c.beat == lost.beat)
        if connection.execute(delete(workers).where(unchanged)).rowcount:
            return
        if connection.execute(select(workers.c.id).where(workers.c.id == lost.id)).first() is not None:
            raise Conflict(f"worker {lost.id} on {lost.host} is alive after all", field="data_dir")

    def _held(self, condition: Any) -> list[Job]:
        query = select(jobs).where(jobs.c.status.in_(sorted(HELD)), condition).order_by(jobs.c.fence)
        with self._db.read() as connection:
            return [Job(**row._mapping) for row in connection.execute(query)]


def begin_at_birth(connection: Connection, job: Job, home: str) -> Job:
    """Make a job that was inserted in this transaction a running one that its maker answers for, with no worker yet."""
    now = datetime.now(UTC)
    changes: dict[str, Any] = {
        "status": JobStatus.RUNNING,
        "stage": "initializing",
        "home": home,
        "fence": _next_fence(connection),
        "started_at": now,
        "updated_at": now,
    }
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(**changes))
    return dataclasses.replace(job, **changes)


def _is_due(now: datetime) -> Any:
    """A moment that is farther ahead than any can be was set before the clock was set back."""
    moment = jobs.c.not_before
    return or_(moment.is_(None), moment <= now, moment > now + LONGEST_WAIT + _CLOCKS_DIFFER)


def _without_worker() -> Any:
    registered = select(workers.c.id).where(workers.c.id == jobs.c.worker_id)
    return ~registered.exists()


def _hand_to(connection: Connection, worker: Worker, job: Job) -> Job:
    taken = dataclasses.replace(job, worker_id=worker.id, fence=_next_fence(connection))
    values = {"worker_id": taken.worker_id, "fence": taken.fence}
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(**values))
    return taken


def _next_fence(connection: Connection) -> int:
    advanced = update(counters).where(counters.c.name == _FENCE).values(value=counters.c.value + 1)
    return int(connection.execute(advanced.returning(counters.c.value)).scalar_one())


def _paused(connection: Connection) -> bool:
    return bool(connection.execute(select(queue.c.paused).where(queue.c.name == _QUEUE)).scalar_one())


def _fenced(worker: Worker) -> Fenced:
    return Fenced(f"worker {worker.id} was replaced by another worker")


def _folder_taken(present: Worker) -> Conflict:
    return Conflict(
        f"another worker already runs on this data folder (process {present.pid} on {present.host})", field="data_dir"
    )
