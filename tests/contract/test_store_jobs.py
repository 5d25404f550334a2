"""What holds of jobs in the store, over SQLite and PostgreSQL alike."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isengard.core.errors import Conflict, Fenced, IllegalTransition, InvalidInput, NotFound
from isengard.jobs.models import TRANSITIONS, Job, JobStatus
from isengard.jobs.store import Progress, Store
from standins.jobs_and_characters import EPOCH, a_holder, a_job, add_character, add_job


def test_a_job_comes_back_as_it_was_put_in(store: Store) -> None:
    character = add_character(store)
    job = a_job(
        character,
        config={"z": 1, "a": {"deep": [1.5, None, True]}, "prompt": 'nul \x00 quote " \u202e \U0001f600'},
        requirements={"gpus": 1},
        has_secrets=True,
        priority=3,
        idempotency_key="key-1",
        request_fingerprint="f" * 64,
        traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
        created_at=datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=UTC),
    )
    made, new = store.create_job(job)
    found = store.get_job(job.id)
    assert new
    assert found == made == replace(job, queued_at=job.created_at, updated_at=job.created_at)
    assert list(found.config) == ["z", "a", "prompt"]


def test_an_unknown_job_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="train-nosuch"):
        store.get_job("train-nosuch")


def test_a_job_for_an_unknown_character_is_refused_and_nothing_is_written(store: Store) -> None:
    character = add_character(store)
    store.delete_character(character.id)
    called: list[Job] = []
    with pytest.raises(NotFound, match=character.id):
        store.create_job(a_job(character), before_commit=called.append)
    assert called == []
    assert store.list_jobs().jobs == []


def test_a_failing_birth_leaves_no_job(store: Store) -> None:
    character = add_character(store)

    def fail(_job: Job) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        store.create_job(a_job(character, idempotency_key="k"), before_commit=fail)
    assert store.list_jobs().jobs == []
    assert store.create_job(a_job(character, idempotency_key="k"))[1]


def test_the_same_request_again_finds_the_first_job(store: Store) -> None:
    character = add_character(store)
    first, _ = store.create_job(a_job(character, idempotency_key="k", request_fingerprint="same"))
    births: list[Job] = []
    again, new = store.create_job(
        a_job(character, idempotency_key="k", request_fingerprint="same"), before_commit=births.append
    )
    assert (again.id, new, births) == (first.id, False, [])
    assert store.find_job("k") == first
    assert store.find_job("other") is None


def test_the_same_key_with_another_request_is_a_conflict(store: Store) -> None:
    character = add_character(store)
    first = add_job(store, character, idempotency_key="k", request_fingerprint="one")
    with pytest.raises(Conflict, match=first.id):
        store.create_job(a_job(character, idempotency_key="k", request_fingerprint="two"))


def test_fifty_equal_requests_at_once_make_one_job(database_url: str) -> None:
    stores = [Store(database_url) for _ in range(5)]  # as five API processes
    character = add_character(stores[0])
    births: list[str] = []
    barrier = threading.Barrier(50)

    def submit(number: int) -> str:
        barrier.wait()
        job = a_job(character, idempotency_key="k", request_fingerprint="same")
        return stores[number % 5].create_job(job, before_commit=lambda born: births.append(born.id))[0].id

    with ThreadPoolExecutor(50) as pool:
        ids = set(pool.map(submit, range(50)))
    assert len(ids) == 1
    assert births == list(ids)
    assert len(stores[0].list_jobs().jobs) == 1
    for each in stores:
        each.close()


def test_a_process_killed_in_the_middle_of_a_birth_leaves_no_row_and_blocks_nobody(
    database_url: str, tmp_path: Path
) -> None:
    store = Store(database_url)
    character = add_character(store)
    script = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from standins.jobs_and_characters import a_job
        from isengard.jobs.store import Store
        store = Store({database_url!r})
        job = a_job(store.get_character({character.id!r}), idempotency_key="k")
        def die(job):
            Path({str(tmp_path / "born")!r}).write_text(job.id)
            os.kill(os.getpid(), signal.SIGKILL)
        store.create_job(job, before_commit=die)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, env={"PYTHONPATH": str(Path(__file__).parents[1])}
    )
    assert done.returncode == -signal.SIGKILL
    orphan = (tmp_path / "born").read_text()
    with pytest.raises(NotFound):
        store.get_job(orphan)
    assert store.create_job(a_job(character, idempotency_key="k"))[1]
    store.close()


def test_a_job_whose_journal_was_ahead_gets_its_row_back_once(store: Store) -> None:
    character = add_character(store)
    lost = a_job(character, status=JobStatus.COMPLETED, stage="completed", completed_at=EPOCH, current_step=100)
    assert store.restore_job(lost) == (lost, True)
    assert store.restore_job(replace(lost, current_step=7)) == (lost, False)
    assert store.get_job(lost.id) == lost


def test_a_job_is_restored_even_when_its_character_is_gone(store: Store) -> None:
    character = add_character(store)
    store.delete_character(character.id)
    job = a_job(character)
    assert store.restore_job(job)[1]


def test_restoring_never_makes_a_second_job_for_one_key(store: Store) -> None:
    character = add_character(store)
    kept = add_job(store, character, idempotency_key="k")
    found, restored = store.restore_job(a_job(character, idempotency_key="k"))
    assert (found.id, restored) == (kept.id, False)


def test_the_list_is_newest_first_and_filtered(store: Store) -> None:
    pip, mia = add_character(store), add_character(store, "Mia")
    old, middle, new = (add_job(store, who, minute) for minute, who in enumerate((pip, mia, pip)))
    store.transition(old.id, JobStatus.CANCELLED)
    assert [job.id for job in store.list_jobs().jobs] == [new.id, middle.id, old.id]
    assert [job.id for job in store.list_jobs(character_id=pip.id).jobs] == [new.id, old.id]
    assert [job.id for job in store.list_jobs(status="cancelled, failed").jobs] == [old.id]
    assert [job.id for job in store.list_jobs(status=[JobStatus.QUEUED]).jobs] == [new.id, middle.id]
    assert store.count_jobs()[JobStatus.QUEUED] == 2
    assert store.count_jobs()[JobStatus.RUNNING] == 0


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"status": "queued,bogus"}, "status"),
        ({"status": ""}, "status"),
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"cursor": "garbage"}, "cursor"),
        ({"cursor": "Zm9v"}, "cursor"),
        ({"cursor": "\u2764"}, "cursor"),
        ({"cursor": "AAAA|"}, "cursor"),
    ],
)
def test_a_bad_listing_is_refused_by_the_name_of_what_is_wrong(
    store: Store, arguments: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        store.list_jobs(**arguments)  # type: ignore[arg-type]
    assert refused.value.field == field


def test_pages_hold_every_job_once_while_jobs_come_and_go(store: Store) -> None:
    character = add_character(store)
    # Many share one moment, so that the order within it matters too.
    there = [add_job(store, character, minute // 7).id for minute in range(23)]
    seen: list[str] = []
    cursor = None
    while True:
        page = store.list_jobs(limit=5, cursor=cursor)
        seen += [job.id for job in page.jobs]
        add_job(store, character, 1000 + len(seen))
        cursor = page.cursor
        if cursor is None:
            break
        if len(seen) == 10:
            store.transition(seen[0], JobStatus.CANCELLED)
            store.delete_job(seen[0])
    assert sorted(seen) == sorted(there)


def test_the_last_full_page_says_that_it_is_the_last(store: Store) -> None:
    character = add_character(store)
    for minute in range(4):
        add_job(store, character, minute)
    assert store.list_jobs(limit=4).cursor is None


def test_exactly_the_transitions_of_the_state_machine_are_taken(store: Store) -> None:
    character = add_character(store)
    for present, wanted in itertools.product(JobStatus, JobStatus):
        job = a_job(character, status=present)
        store.restore_job(job)
        if wanted in TRANSITIONS[present]:
            assert store.transition(job.id, wanted).status is wanted
        else:
            with pytest.raises(IllegalTransition, match=f"is {present}; it cannot become {wanted}"):
                store.transition(job.id, wanted)
            assert store.get_job(job.id) == job


def test_an_end_lets_go_of_the_job_and_says_when(store: Store, tmp_path: Path) -> None:
    add_job(store, add_character(store))
    job = store.claim(store.register_worker(a_holder(tmp_path)))
    assert job is not None
    before = datetime.now(UTC)
    ended = store.transition(
        job.id, JobStatus.FAILED, fence=job.fence, error_message="torch \x00 died \ud800", error_type="OOM"
    )
    assert ended.worker_id is None
    assert ended.completed_at is not None
    assert before - timedelta(seconds=1) <= ended.completed_at <= datetime.now(UTC)
    assert (ended.stage, ended.error_type) == ("failed", "OOM")
    assert ended.error_message is not None
    assert ended.error_message.startswith("torch \ufffd died ")


def test_a_job_queued_again_starts_with_a_clean_slate(store: Store) -> None:
    job = add_job(store, add_character(store))
    store.transition(job.id, JobStatus.FAILED, error_message="no", error_type="E", failure_fingerprint="f")
    later = add_job(store, store.get_character(job.character_id), minute=1)
    assert store.failed_alike(later, "f") == (1, [job.id])
    again = store.transition(job.id, JobStatus.QUEUED, attempt=job.attempt + 1, retries=1)
    assert (again.error_message, again.error_type, again.failure_fingerprint) == (None, None, None)
    assert store.failed_alike(later, "f") == (0, [])
    assert (again.completed_at, again.worker_id, again.fence) == (None, None, 0)
    assert (again.attempt, again.retries, again.stage) == (2, 1, "queued")


def test_earlier_failures_of_the_same_kind_are_counted_and_the_newest_named(store: Store) -> None:
    character = add_character(store)
    jobs = [add_job(store, character, minute) for minute in range(4)]
    for job, kind in zip(jobs, ("f", "other", "f", "f"), strict=True):
        store.transition(job.id, JobStatus.FAILED, failure_fingerprint=kind)
    assert store.failed_alike(jobs[3], "f") == (2, [jobs[2].id, jobs[0].id])
    assert store.failed_alike(jobs[3], "f", limit=1) == (2, [jobs[2].id])
    assert store.failed_alike(jobs[0], "f") == (0, [])


def test_a_write_under_an_old_claim_is_fenced_off(store: Store, tmp_path: Path) -> None:
    job = add_job(store, add_character(store))
    worker = store.register_worker(a_holder(tmp_path))
    first = store.claim(worker)
    assert first is not None
    store.transition(job.id, JobStatus.QUEUED, fence=first.fence)
    second = store.claim(worker)
    assert second is not None
    assert second.fence > first.fence
    with pytest.raises(Fenced, match=job.id):
        store.transition(job.id, JobStatus.COMPLETED, fence=first.fence)
    assert store.update_progress(Progress(job.id, first.fence, current_step=50)) == {job.id}
    assert store.get_job(job.id).current_step == 0


def test_progress_touches_only_what_it_says(store: Store, tmp_path: Path) -> None:
    add_job(store, add_character(store))
    claimed = store.claim(store.register_worker(a_holder(tmp_path)))
    assert claimed is not None
    refused = store.update_progress(
        Progress(claimed.id, claimed.fence, stage="training", progress=12.5, current_step=50, current_loss=0.25)
    )
    found = store.get_job(claimed.id)
    expected = replace(
        claimed, stage="training", progress=12.5, current_step=50, current_loss=0.25, updated_at=found.updated_at
    )
    assert refused == set()
    assert found == expected


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), float("-inf")])
def test_a_loss_that_is_no_number_is_held_as_unknown(store: Store, tmp_path: Path, loss: float) -> None:
    add_job(store, add_character(store))
    job = store.claim(store.register_worker(a_holder(tmp_path)))
    assert job is not None
    store.update_progress(Progress(job.id, job.fence, current_loss=0.5))
    store.update_progress(Progress(job.id, job.fence, current_loss=loss))
    assert store.get_job(job.id).current_loss is None


def test_progress_of_a_job_that_is_over_changes_nothing(store: Store, tmp_path: Path) -> None:
    add_job(store, add_character(store))
    job = store.claim(store.register_worker(a_holder(tmp_path)))
    assert job is not None
    store.transition(job.id, JobStatus.COMPLETED, fence=job.fence, current_step=100)
    assert store.update_progress(Progress(job.id, job.fence, current_step=99)) == {job.id}
    assert store.get_job(job.id).current_step == 100


def test_cancel_and_completion_race_to_one_end(database_url: str) -> None:
    first, second = Store(database_url), Store(database_url)
    character = add_character(first)
    for minute in range(10):
        job = a_job(character, minute, status=JobStatus.RUNNING)
        first.restore_job(job)
        barrier = threading.Barrier(2)
        ends: list[JobStatus] = []

        def end(
            store: Store,
            wanted: JobStatus,
            job: Job = job,
            barrier: threading.Barrier = barrier,
            ends: list[JobStatus] = ends,
        ) -> None:
            barrier.wait()
            try:
                store.transition(job.id, wanted, before_commit=lambda changed: ends.append(changed.status))
            except IllegalTransition:
                return

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(end, (first, second), (JobStatus.COMPLETED, JobStatus.CANCELLED)))
        assert len(ends) == 1
        assert first.get_job(job.id).status is ends[0]
    first.close()
    second.close()


def test_only_a_job_that_is_over_is_deleted(store: Store) -> None:
    job = add_job(store, add_character(store))
    with pytest.raises(Conflict, match="cancel it first"):
        store.delete_job(job.id)
    store.transition(job.id, JobStatus.CANCELLED)

    def fail(_job: Job) -> None:
        raise OSError(13, "Permission denied")

    with pytest.raises(OSError, match="Permission"):
        store.delete_job(job.id, before_commit=fail)
    assert store.get_job(job.id).id == job.id
    assert store.delete_job(job.id).id == job.id
    with pytest.raises(NotFound):
        store.delete_job(job.id)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(alphabet=st.characters(), max_size=60), number=st.floats(allow_nan=False, allow_infinity=False))
def test_any_words_and_figures_survive_the_store(store: Store, text: str, number: float) -> None:
    character = store.list_characters()[0] if store.list_characters() else add_character(store)
    clean = text.encode("utf-8", "replace").decode("utf-8")
    job = add_job(store, character, config={"text": clean, "number": number}, output_path=clean.replace("\x00", ""))
    found = store.get_job(job.id)
    assert found.config == {"text": clean, "number": number}
    assert found.output_path == clean.replace("\x00", "")
