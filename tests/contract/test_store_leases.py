"""What holds of workers, claims and the queue, over SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from isengard.core.errors import Conflict, Fenced
from isengard.jobs.models import Job, JobStatus
from isengard.jobs.store import Progress, Store
from standins.jobs_and_characters import a_holder, add_character, add_job


def test_a_claim_makes_a_queued_job_run_under_a_fence(store: Store, tmp_path: Path) -> None:
    queued = add_job(store, add_character(store))
    worker = store.register_worker(a_holder(tmp_path))
    job = store.claim(worker)
    assert job is not None
    assert (job.id, job.status, job.worker_id, job.home) == (queued.id, JobStatus.RUNNING, worker.id, worker.folder)
    assert job.fence > worker.fence
    assert store.get_job(job.id) == job
    assert store.jobs_held_by(worker.id) == [job]
    assert store.claim(worker) is None


def test_claims_go_by_priority_and_then_by_time_in_the_queue(store: Store, tmp_path: Path) -> None:
    character = add_character(store)
    early = add_job(store, character, 1)
    late = add_job(store, character, 5)
    urgent = add_job(store, character, 9, priority=1)
    raised = add_job(store, character, 8)
    store.set_priority(raised.id, 2)
    worker = store.register_worker(a_holder(tmp_path))
    claimed = [store.claim(worker) for _ in range(5)]
    assert [job.id if job else None for job in claimed] == [raised.id, urgent.id, early.id, late.id, None]


def test_a_resumed_job_queues_up_behind_those_that_waited(store: Store, tmp_path: Path) -> None:
    character = add_character(store)
    resumed, waiting = add_job(store, character, 1), add_job(store, character, 2)
    store.transition(resumed.id, JobStatus.FAILED)
    store.transition(resumed.id, JobStatus.QUEUED)
    first = store.claim(store.register_worker(a_holder(tmp_path)))
    assert first is not None
    assert first.id == waiting.id


def test_a_retry_is_not_claimed_before_its_time(store: Store, tmp_path: Path) -> None:
    character = add_character(store)
    later = add_job(store, character, not_before=datetime.now(UTC) + timedelta(minutes=30))
    due = add_job(store, character, not_before=datetime.now(UTC) - timedelta(seconds=1))
    worker = store.register_worker(a_holder(tmp_path))
    claimed = store.claim(worker)
    assert claimed is not None
    assert claimed.id == due.id
    assert claimed.not_before is None
    assert store.claim(worker) is None
    assert store.get_job(later.id).status is JobStatus.QUEUED


def test_the_queue_keeps_its_order_and_loses_no_retry_when_the_clock_is_set_back(store: Store, tmp_path: Path) -> None:
    character, now = add_character(store), datetime.now(UTC)
    put_off = add_job(store, character, not_before=now + timedelta(hours=1, seconds=30))
    first = add_job(store, character, created_at=now + timedelta(hours=1))
    second = add_job(store, character, created_at=now)
    far_ahead = add_job(store, character, created_at=now + timedelta(days=400))
    third = add_job(store, character, created_at=now + timedelta(seconds=1))
    worker = store.register_worker(a_holder(tmp_path))
    claimed = [store.claim(worker) for _ in range(5)]
    assert [job.id for job in claimed if job] == [put_off.id, first.id, second.id, third.id, far_ahead.id]


def test_a_job_that_does_not_fit_is_passed_over(store: Store, tmp_path: Path) -> None:
    character = add_character(store)
    for minute in range(3):
        add_job(store, character, minute, requirements={"gpus": 8})
    small = add_job(store, character, 9, requirements={"gpus": 1})

    def fits(job: Job) -> bool:
        return int(job.requirements["gpus"]) <= 2

    worker = store.register_worker(a_holder(tmp_path))
    claimed = store.claim(worker, fits=fits)
    assert claimed is not None
    assert claimed.id == small.id
    assert store.claim(worker, fits=fits) is None
    assert store.claim(worker) is not None


def test_a_paused_queue_starts_nothing(store: Store, tmp_path: Path) -> None:
    add_job(store, add_character(store))
    worker = store.register_worker(a_holder(tmp_path))
    store.pause_queue("cleaning up")
    assert store.queue_paused()
    assert store.claim(worker) is None
    store.resume_queue()
    assert not store.queue_paused()
    assert store.claim(worker) is not None


def test_many_workers_at_once_claim_each_job_exactly_once(database_url: str, tmp_path: Path) -> None:
    stores = [Store(database_url) for _ in range(6)]
    character = add_character(stores[0])
    made = {add_job(stores[0], character, minute).id for minute in range(40)}

    def work(number: int) -> list[Job]:
        worker = stores[number].register_worker(a_holder(tmp_path / str(number)))
        claimed = []
        while job := stores[number].claim(worker):
            claimed.append(job)
        return claimed

    with ThreadPoolExecutor(6) as pool:
        claimed = [job for jobs in pool.map(work, range(6)) for job in jobs]
    assert Counter(job.id for job in claimed) == Counter(made)
    assert len({job.fence for job in claimed}) == len(claimed)
    for each in stores:
        each.close()


def test_a_folder_has_one_worker(store: Store, tmp_path: Path) -> None:
    first = store.register_worker(a_holder(tmp_path))
    with pytest.raises(Conflict, match=f"process {first.pid} on"):
        store.register_worker(a_holder(tmp_path))
    assert store.register_worker(a_holder(tmp_path / "other")).folder != first.folder
    store.release(first)
    assert store.register_worker(a_holder(tmp_path)).fence > first.fence


def test_two_processes_that_want_one_folder_get_it_once(database_url: str, tmp_path: Path) -> None:
    stores = [Store(database_url) for _ in range(4)]
    holders = [a_holder(tmp_path) for _ in stores]

    def register(number: int) -> bool:
        try:
            return bool(stores[number].register_worker(holders[number]))
        except Conflict:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(register, range(4))) == 1
    for each in stores:
        each.close()


def test_a_worker_that_showed_a_beat_since_is_not_replaced(store: Store, tmp_path: Path) -> None:
    first = store.register_worker(a_holder(tmp_path))
    seen = store.workers()[0]
    store.beat(first)
    with pytest.raises(Conflict, match="alive after all"):
        store.register_worker(a_holder(tmp_path), replacing=seen)
    assert [worker.id for worker in store.workers()] == [first.id]


def test_a_replaced_worker_is_fenced_off_in_everything(store: Store, tmp_path: Path) -> None:
    character = add_character(store)
    add_job(store, character, 1)
    add_job(store, character, 2)
    first = store.register_worker(a_holder(tmp_path))
    held = store.claim(first)
    assert held is not None
    second = store.register_worker(a_holder(tmp_path), replacing=store.workers()[0])
    assert second.fence > first.fence
    assert store.unheld_jobs() == [held]
    taken = store.take_over(second)
    assert [(job.id, job.worker_id) for job in taken] == [(held.id, second.id)]
    assert taken[0].fence > held.fence
    with pytest.raises(Fenced, match=first.id):
        store.beat(first)
    with pytest.raises(Fenced, match=first.id):
        store.claim(first)
    with pytest.raises(Fenced, match=first.id):
        store.take_over(first)
    with pytest.raises(Fenced, match=held.id):
        store.transition(held.id, JobStatus.COMPLETED, fence=held.fence)
    assert store.update_progress(Progress(held.id, held.fence, current_step=9)) == {held.id}
    assert store.transition(held.id, JobStatus.COMPLETED, fence=taken[0].fence).status is JobStatus.COMPLETED


def test_a_lost_workers_jobs_go_to_one_of_those_who_noticed(database_url: str, tmp_path: Path) -> None:
    stores = [Store(database_url) for _ in range(3)]
    character = add_character(stores[0])
    for minute in range(5):
        add_job(stores[0], character, minute)
    lost = stores[0].register_worker(a_holder(tmp_path / "lost"))
    held = {job.id for _ in range(5) if (job := stores[0].claim(lost))}
    others = [store.register_worker(a_holder(tmp_path / str(number))) for number, store in enumerate(stores)]
    with ThreadPoolExecutor(3) as pool:
        taken = list(pool.map(lambda number: stores[number].take_over(others[number], lost=lost), range(3)))
    assert sorted(job.id for jobs in taken for job in jobs) == sorted(held)
    assert stores[0].unheld_jobs() == []
    for each in stores:
        each.close()


def test_jobs_of_another_folder_are_left_to_its_worker(store: Store, tmp_path: Path) -> None:
    job = add_job(store, add_character(store))
    there = store.register_worker(a_holder(tmp_path / "there"))
    store.claim(there)
    store.release(there)
    here = store.register_worker(a_holder(tmp_path / "here"))
    assert store.take_over(here, homes=[here.folder]) == []
    assert [taken.id for taken in store.take_over(here, homes=[there.folder])] == [job.id]


def test_a_released_worker_leaves_its_jobs_running(store: Store, tmp_path: Path) -> None:
    add_job(store, add_character(store))
    worker = store.register_worker(a_holder(tmp_path))
    job = store.claim(worker)
    assert job is not None
    store.release(worker)
    assert store.get_job(job.id).status is JobStatus.RUNNING
    assert store.unheld_jobs() == [job]
    assert store.workers() == []
