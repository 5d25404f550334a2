"""Jobs, workers and claims in any order, under a clock that is set back, held against what has to be true."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from isengard.core.errors import Conflict, Fenced, IllegalTransition, NotFound
from isengard.jobs import jobs_store, lease_store
from isengard.jobs.leases import Worker
from isengard.jobs.models import HELD, TRANSITIONS, Job, JobStatus
from isengard.jobs.store import Progress, Store
from standins.jobs_and_characters import a_holder, add_character

BASE = datetime(2026, 1, 2, tzinfo=UTC)
FAR = timedelta(minutes=35)
"""Further ahead than a retry can be: set before the clock was set back."""
picks = st.integers(0, 30)
statuses = st.sampled_from(list(JobStatus))


@dataclass
class Known:
    """What has to be true of a job."""

    id: str
    created_at: datetime
    status: JobStatus = JobStatus.QUEUED
    priority: int = 0
    place: int = 0
    fence: int = 0
    worker: str | None = None
    step: int = 0
    key: str | None = None
    request: str | None = None
    not_before: datetime | None = None
    last_fence: int = field(default=0)


class StoreMachine(RuleBasedStateMachine):
    """The store and what it has to hold."""

    template: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="store-"))
        shutil.copy(self.template, self.root / "isengard.db")
        self.store = Store(f"sqlite:///{self.root / 'isengard.db'}")
        self.now = BASE
        clock = SimpleNamespace(now=lambda _zone: self.now)
        self.patch = pytest.MonkeyPatch()
        for module in (jobs_store, lease_store):
            self.patch.setattr(module, "datetime", clock)
        self.character = add_character(self.store)
        self.jobs: dict[str, Known] = {}
        self.workers: dict[str, Worker] = {}
        self.gone: list[Worker] = []
        self.deleted: list[Job] = []
        self.made = self.places = self.highest = 0
        self.paused = False

    def teardown(self) -> None:
        self.patch.undo()
        self.store.close()
        shutil.rmtree(self.root)

    def pick(self, number: int) -> Known | None:
        known = list(self.jobs.values())
        return known[number % len(known)] if known else None

    def worker(self, number: int) -> Worker | None:
        every = [*self.workers.values(), *self.gone]
        return every[number % len(every)] if every else None

    def queue_up(self, known: Known) -> None:
        self.places += 1
        known.place, known.fence, known.worker = self.places, 0, None

    def give_fence(self, fence: int) -> int:
        assert fence > self.highest, "a fence is higher than all before it"
        self.highest = fence
        return fence

    @rule(minutes=st.sampled_from([1, 20, 60, -15, -50]))
    def set_clock(self, minutes: int) -> None:
        wanted = self.now + timedelta(minutes=minutes)
        self.now = min(max(BASE, wanted), BASE + timedelta(hours=20))

    @rule(priority=st.integers(-1, 1), key=st.sampled_from([None, None, "a", "b"]), request=st.sampled_from("xy"))
    def create(self, priority: int, key: str | None, request: str) -> None:
        self.made += 1
        job = Job(f"train-{self.made:04d}", self.character.id, "mock", {}, "corr", self.now, priority=priority)
        job = replace(job, idempotency_key=key, request_fingerprint=request)
        earlier = next((each for each in self.jobs.values() if key is not None and each.key == key), None)
        if earlier is not None and earlier.request != request:
            with pytest.raises(Conflict):
                self.store.create_job(job)
            return
        found, is_new = self.store.create_job(job)
        assert (found.id, is_new) == ((earlier.id, False) if earlier else (job.id, True))
        if is_new:
            self.jobs[job.id] = Known(job.id, self.now, priority=priority, key=key, request=request)
            self.queue_up(self.jobs[job.id])

    @rule(key=st.sampled_from([None, "c"]))
    def create_attended(self, key: str | None) -> None:
        self.made += 1
        job = Job(f"train-{self.made:04d}", self.character.id, "mock", {}, "corr", self.now, idempotency_key=key)
        if any(each.key == key for each in self.jobs.values() if key):
            return
        found, _ = self.store.create_job(job, home="folder-here")
        self.jobs[job.id] = Known(job.id, self.now, JobStatus.RUNNING, key=key, fence=self.give_fence(found.fence))

    @rule(folder=st.sampled_from("12"))
    def register(self, folder: str) -> None:
        holder = a_holder(self.root / folder)
        if any(each.folder == holder.folder for each in self.workers.values()):
            with pytest.raises(Conflict):
                self.store.register_worker(holder)
            return
        worker = self.store.register_worker(holder)
        self.give_fence(worker.fence)
        self.workers[worker.id] = worker

    @rule(number=picks)
    def beat(self, number: int) -> None:
        if (worker := self.worker(number)) is None:
            return
        if worker.id not in self.workers:
            with pytest.raises(Fenced):
                self.store.beat(worker)
            return
        self.store.beat(worker)
        self.workers[worker.id] = replace(worker, beat=worker.beat + 1)

    @rule(number=picks)
    def release(self, number: int) -> None:
        if (worker := self.worker(number)) is not None:
            self.store.release(worker)
            if self.workers.pop(worker.id, None):
                self.gone.append(worker)

    def waiting(self) -> list[Known]:
        queued = [each for each in self.jobs.values() if each.status is JobStatus.QUEUED]
        return sorted(queued, key=lambda each: (-each.priority, each.place))

    def is_due(self, known: Known) -> bool:
        return known.not_before is None or known.not_before <= self.now or known.not_before > self.now + FAR

    @rule(number=picks, odd_only=st.booleans())
    def claim(self, number: int, odd_only: bool) -> None:
        if (worker := self.worker(number)) is None:
            return

        def fits(job: Job) -> bool:
            return not odd_only or int(job.id[-1]) % 2 == 1

        if worker.id not in self.workers:
            with pytest.raises(Fenced):
                self.store.claim(worker, fits=fits)
            return
        due = [each for each in self.waiting() if self.is_due(each) and (not odd_only or int(each.id[-1]) % 2)]
        job = self.store.claim(worker, fits=fits)
        assert (job.id if job else None) == (due[0].id if due and not self.paused else None)
        if job is not None:
            known = self.jobs[job.id]
            known.status, known.worker, known.not_before = JobStatus.RUNNING, worker.id, None
            known.fence = known.last_fence = self.give_fence(job.fence)

    @rule(number=picks, wanted=statuses, with_fence=st.sampled_from(["none", "right", "stale"]), wait=st.booleans())
    def transition(self, number: int, wanted: JobStatus, with_fence: str, wait: bool) -> None:
        if (known := self.pick(number)) is None or (wanted is JobStatus.RUNNING):
            return
        fence = {"none": None, "right": known.fence, "stale": known.fence + 1000}[with_fence]
        more: Any = {"not_before": self.now + timedelta(minutes=10)} if wait and wanted is JobStatus.QUEUED else {}
        if with_fence == "stale" or wanted not in TRANSITIONS[known.status]:
            with pytest.raises(Fenced if with_fence == "stale" else IllegalTransition):
                self.store.transition(known.id, wanted, fence=fence, **more)
            return

        def refuse(_job: Job) -> None:
            raise OSError(28, "No space left on device")

        with pytest.raises(OSError, match="No space"):
            self.store.transition(known.id, wanted, fence=fence, before_commit=refuse, **more)
        assert self.store.get_job(known.id).status is known.status
        self.store.transition(known.id, wanted, fence=fence, **more)
        known.status = wanted
        if wanted is JobStatus.QUEUED:
            known.not_before = more.get("not_before", known.not_before)
            self.queue_up(known)
        elif wanted.is_terminal:
            known.worker = None

    @rule(numbers=st.lists(st.tuples(picks, st.integers(1, 99), st.booleans()), max_size=3))
    def progress(self, numbers: list[tuple[int, int, bool]]) -> None:
        told: dict[str, tuple[Progress, bool]] = {}
        for number, step, stale in numbers:
            if (known := self.pick(number)) is not None:
                fence = known.fence - stale
                told[known.id] = Progress(known.id, fence, current_step=step), known.status in HELD and not stale
        refused = self.store.update_progress(*(item for item, _ in told.values()))
        assert refused == {job_id for job_id, (_, mine) in told.items() if not mine}
        for job_id, (item, mine) in told.items():
            if mine and item.current_step is not None:
                self.jobs[job_id].step = item.current_step

    @rule(number=picks, homes=st.sampled_from([None, ["folder-here"]]), lost=picks, fresh=st.booleans())
    def take_over(self, number: int, homes: list[str] | None, lost: int, fresh: bool) -> None:
        worker, other = self.worker(number), self.worker(lost)
        if worker is None or worker.id not in self.workers:
            return
        if other is not None and other.id != worker.id and other.id in self.workers and homes is None:
            if not fresh:
                stale = replace(other, beat=other.beat - 1)
                with pytest.raises(Conflict):
                    self.store.take_over(worker, lost=stale)
                return
            self.gone.append(self.workers.pop(other.id))
        else:
            other = None
        present = {job_id: self.store.get_job(job_id) for job_id in self.jobs}
        wanted = sorted(
            each.id
            for each in self.jobs.values()
            if each.status in HELD
            and each.worker not in self.workers
            and (homes is None or present[each.id].home in homes)
        )
        taken = self.store.take_over(worker, lost=other, homes=homes)
        assert [job.id for job in taken] == wanted
        for job in taken:
            self.jobs[job.id].worker, self.jobs[job.id].fence = worker.id, self.give_fence(job.fence)

    @rule(number=picks, priority=st.integers(-2, 2))
    def set_priority(self, number: int, priority: int) -> None:
        if (known := self.pick(number)) is not None:
            known.priority = self.store.set_priority(known.id, priority).priority

    @rule(number=picks)
    def delete(self, number: int) -> None:
        if (known := self.pick(number)) is None:
            return
        if not known.status.is_terminal:
            with pytest.raises(Conflict):
                self.store.delete_job(known.id)
            return
        self.deleted.append(self.store.delete_job(known.id))
        del self.jobs[known.id]
        with pytest.raises(NotFound):
            self.store.get_job(known.id)

    @rule(number=picks)
    def restore(self, number: int) -> None:
        if not self.deleted:
            return
        job = self.deleted[number % len(self.deleted)]
        holder = next(
            (each for each in self.jobs.values() if job.idempotency_key and each.key == job.idempotency_key), None
        )
        found, restored = self.store.restore_job(job)
        if job.id in self.jobs or holder is not None:
            assert (found.id, restored) == (job.id if job.id in self.jobs else holder.id if holder else "", False)
            return
        assert (found, restored) == (job, True)
        self.jobs[job.id] = Known(
            job.id, job.created_at, job.status, job.priority, fence=job.fence, step=job.current_step,
            key=job.idempotency_key, request=job.request_fingerprint, not_before=job.not_before,
        )  # fmt: skip

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        (self.store.pause_queue if paused else self.store.resume_queue)()
        self.paused = paused

    @rule(chosen=st.sets(statuses, max_size=3), limit=st.integers(1, 4))
    def walk_the_list(self, chosen: set[JobStatus], limit: int) -> None:
        wanted = [each for each in self.jobs.values() if not chosen or each.status in chosen]
        wanted.sort(key=lambda each: (each.created_at, each.id), reverse=True)
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = self.store.list_jobs(status=chosen or None, limit=limit, cursor=cursor)
            found += [job.id for job in page.jobs]
            cursor = page.cursor
            if cursor is None:
                break
        assert found == [each.id for each in wanted]

    @invariant()
    def all_as_known(self) -> None:
        for known in self.jobs.values():
            job = self.store.get_job(known.id)
            present = (job.status, job.priority, job.fence, job.worker_id, job.current_step, job.not_before)
            assert present == (known.status, known.priority, known.fence, known.worker, known.step, known.not_before)
            assert (job.completed_at is not None) == known.status.is_terminal
        assert [job.id for job in self.store.waiting_jobs()] == [each.id for each in self.waiting()]
        assert {worker.id for worker in self.store.workers()} == set(self.workers)
        held = {each.id for each in self.jobs.values() if each.status in HELD}
        assert {job.id for job in self.store.held_jobs()} == held
        assert {job.id for job in self.store.unheld_jobs()} == {
            job_id for job_id in held if self.jobs[job_id].worker not in self.workers
        }


def test_whatever_happens_to_jobs_the_store_holds_what_has_to_be_true(migrated: Path) -> None:
    StoreMachine.template = migrated
    run_state_machine_as_test(StoreMachine, settings=settings(max_examples=40, stateful_step_count=30, deadline=None))
