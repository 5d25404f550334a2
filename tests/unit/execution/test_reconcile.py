"""What a worker's start does about a store and journals that disagree, as crashes leave them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from isengard.core.redaction import Redactor
from isengard.events.models import EventName
from isengard.events.reports import Report, ReportSpool
from isengard.execution import control, inbox
from isengard.execution.inbox import Command
from isengard.execution.job_supervisor import JobSupervisor
from isengard.execution.launcher_local import LocalLauncher
from isengard.execution.reconcile import reconcile
from isengard.execution.retries import ByCause
from isengard.execution.worker_lease import WorkerLease
from isengard.jobs.leases import Holder
from isengard.jobs.models import Job, JobStatus
from isengard.jobs.schema import jobs
from isengard.journal import JournalWriter
from isengard.journal.writer_lock import WriterLock
from standins.workbench import Workbench, workbench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path / "data") as made:
        yield made


def start_over(bench: Workbench, turns: int = 2) -> JobSupervisor:
    """A worker starts on the folder; the queue is paused, so that it starts nothing."""
    registration = bench.store.register_worker(Holder.here(bench.settings.data_dir))
    bench.store.pause_queue()
    supervisor = JobSupervisor(
        bench.settings, bench.store, WorkerLease(registration, None), LocalLauncher(bench.settings), ByCause(0)
    )
    reconcile(bench.settings, bench.store, supervisor)
    for _ in range(turns):
        supervisor.turn()
    bench.store.release(registration)
    return supervisor


def claim(bench: Workbench) -> Job:
    """A worker claims the next job and dies."""
    registration = bench.store.register_worker(Holder.here(bench.settings.data_dir))
    job = bench.store.claim(registration)
    bench.store.release(registration)
    assert job is not None
    return job


def write(bench: Workbench, job: Job, *lines: tuple[EventName, dict[str, object]]) -> None:
    with JournalWriter.open(
        bench.paths(job), service="runner", redactor=Redactor(), correlation_id=job.correlation_id
    ) as journal:
        for event, fields in lines:
            journal.append(event, "", {"attempt": 1, **fields})


RUNNING = (EventName.JOB_STARTED, {"status": "running", "stage": "training"})


def forget(bench: Workbench, job: Job) -> None:
    with bench.store._db.write() as connection:
        connection.execute(delete(jobs).where(jobs.c.id == job.id))


def test_a_journal_without_a_row_gets_its_row_back(bench: Workbench) -> None:
    job = bench.submit(steps=7)
    forget(bench, job)

    start_over(bench)

    restored = bench.store.get_job(job.id)
    assert (restored.status, restored.config, restored.character_id) == (JobStatus.QUEUED, job.config, job.character_id)
    assert (restored.created_at, restored.correlation_id) == (job.created_at, job.correlation_id)


def test_a_journal_without_a_row_that_is_over_gets_a_row_that_is_over(bench: Workbench) -> None:
    job = bench.submit()
    write(bench, job, RUNNING, (EventName.JOB_COMPLETED, {"status": "completed", "step": 20, "output_path": "/x"}))
    forget(bench, job)

    start_over(bench)

    restored = bench.store.get_job(job.id)
    assert (restored.status, restored.current_step, restored.output_path) == (JobStatus.COMPLETED, 20, "/x")


def submit_with_key(bench: Workbench) -> Job:
    return control.submit(
        bench.settings,
        bench.store,
        character_id=bench.character.id,
        trainer="mock",
        config={"steps": 7},
        idempotency_key="the-same",
    )[0]


def test_of_a_request_that_was_cut_off_and_repeated_one_job_is_left(bench: Workbench) -> None:
    cut_off = submit_with_key(bench)
    forget(bench, cut_off)
    repeated = submit_with_key(bench)

    start_over(bench)

    assert [job.id for job in bench.store.list_jobs().jobs] == [repeated.id]
    assert [path.name for path in bench.settings.paths.jobs.iterdir()] == [repeated.id]


@pytest.mark.parametrize("left", ["", "events.jsonl", "half a line", "job.created alone"])
def test_what_a_killed_api_had_begun_of_a_job_is_removed_with_its_secrets(bench: Workbench, left: str) -> None:
    whole, begun = bench.submit(), submit_with_key(bench)
    paths = bench.settings.paths.job(begun.id)
    first = paths.journal.read_bytes().split(b"\n")[0]
    shutil.rmtree(paths.root)
    forget(bench, begun)
    again = submit_with_key(bench)
    paths.make()
    bench.settings.paths.job_secrets(begun.id).write_text("{}")
    if left:
        written = {"half a line": first[:40], "job.created alone": first + b"\n"}
        paths.journal.write_bytes(written.get(left, b""))
        paths.lock.write_text("1\n")

    start_over(bench)

    assert {path.name for path in bench.settings.paths.jobs.iterdir()} == {whole.id, again.id}
    assert not bench.settings.paths.job_secrets(begun.id).exists()


def test_a_folder_that_is_being_made_or_holds_somebodys_files_is_left_alone(bench: Workbench) -> None:
    made, strange = bench.settings.paths.job("train-made"), bench.settings.paths.job("train-strange")
    for paths in (made, strange):
        paths.make()
    (strange.samples / "picture.png").write_bytes(b"x")
    writing = WriterLock(made)
    try:
        start_over(bench)
    finally:
        writing.release()

    assert made.root.is_dir()
    assert (strange.samples / "picture.png").exists()


def test_a_row_follows_its_journal_to_the_end(bench: Workbench) -> None:
    job = bench.submit()
    claim(bench)
    write(
        bench, job, RUNNING, (EventName.JOB_FAILED, {"status": "failed", "error": "boom", "error_type": "ValueError"})
    )

    start_over(bench)

    failed = bench.store.get_job(job.id)
    assert (failed.status, failed.error_message, failed.error_type) == (JobStatus.FAILED, "boom", "ValueError")
    assert bench.events(job).count("job.failed") == 1


def test_a_job_that_its_journal_resumed_is_queued(bench: Workbench) -> None:
    job = bench.submit()
    control.cancel(bench.settings, bench.store, job.id)
    write(bench, job, (EventName.JOB_RESUMED, {"attempt": 2, "status": "queued"}))

    start_over(bench)

    resumed = bench.store.get_job(job.id)
    assert (resumed.status, resumed.attempt) == (JobStatus.QUEUED, 2)


def test_a_journal_that_lost_its_end_in_a_power_cut_is_given_one(bench: Workbench) -> None:
    job = bench.submit()
    control.cancel(bench.settings, bench.store, job.id)
    path = bench.paths(job).journal
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))

    start_over(bench)

    assert bench.events(job) == ["job.created", "job.queued", "job.cancelled"]
    assert bench.store.get_job(job.id).status is JobStatus.CANCELLED


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_journal_whose_tail_was_lost_after_it_was_folded_is_given_an_end(bench: Workbench, left: int) -> None:
    job = bench.submit()
    control.cancel(bench.settings, bench.store, job.id)
    with bench.store._db.write() as connection:
        connection.execute(jobs.update().where(jobs.c.id == job.id).values(journal_seq=3))
    path = bench.paths(job).journal
    assert path.read_bytes().count(b"\n") == 3
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:left]))
    for _ in range(2):
        start_over(bench)
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert [line["seq"] for line in lines] == list(range(1, left + 2))
        assert [line["event"] for line in lines].count("job.cancelled") == 1
        assert lines[-1]["event"] == "job.cancelled"
    assert bench.store.get_job(job.id).status is JobStatus.CANCELLED


def test_a_job_that_was_claimed_and_never_started_goes_back_into_the_queue(bench: Workbench) -> None:
    job = bench.submit()
    claim(bench)

    start_over(bench)

    assert bench.store.get_job(job.id).status is JobStatus.QUEUED
    assert bench.events(job) == ["job.created", "job.queued"]


def test_a_run_whose_runner_died_is_buried_with_all_that_it_reported(bench: Workbench) -> None:
    job = bench.submit()
    claim(bench)
    write(bench, job, RUNNING, (EventName.TRAINING_STEP, {"step": 1, "report": 1}))
    spool = ReportSpool(bench.paths(job).reports)
    for step in (1, 2, 3):
        spool.send(Report(EventName.TRAINING_STEP, {"step": step, "loss": 0.5}))
    spool.close()

    start_over(bench)

    failed = bench.store.get_job(job.id)
    assert (failed.status, failed.error_type, failed.current_step) == (JobStatus.FAILED, "RunnerDied", 3)
    assert bench.reports_in_journal(job) == [1, 2, 3]
    assert bench.events(job)[-1] == "job.failed"
    assert not bench.paths(job).reports.exists()
    start_over(bench)
    assert bench.events(job).count("job.failed") == 1, "it was buried twice"


def test_a_dead_run_that_somebody_had_cancelled_is_cancelled(bench: Workbench) -> None:
    job = bench.submit()
    claim(bench)
    write(bench, job, RUNNING)
    inbox.put(bench.paths(job), Command.CANCEL, attempt=1, sender="cli", correlation_id="corr-1")

    start_over(bench)

    assert bench.store.get_job(job.id).status is JobStatus.CANCELLED


def test_a_row_whose_folder_is_gone_has_failed(bench: Workbench) -> None:
    job = bench.submit()
    tombstone = bench.paths(job).root.rename(bench.settings.data_dir / "elsewhere")
    assert tombstone.exists()

    start_over(bench)

    failed = bench.store.get_job(job.id)
    assert (failed.status, failed.error_type) == (JobStatus.FAILED, "JournalMissing")


def test_an_interrupted_deletion_is_finished_or_undone(bench: Workbench) -> None:
    kept, gone = bench.submit(), bench.submit()
    for job in (kept, gone):
        bench.paths(job).root.rename(bench.settings.paths.jobs / f".deleted-{job.id}")
    forget(bench, gone)

    start_over(bench)

    assert bench.paths(kept).journal.exists()
    assert bench.store.get_job(kept.id).status is JobStatus.QUEUED
    assert os.listdir(bench.settings.paths.jobs) == [kept.id]


def test_one_job_beyond_mending_does_not_keep_the_others_from_it(bench: Workbench) -> None:
    broken, lost = bench.submit(), bench.submit()
    bench.paths(broken).journal.write_bytes(b'{"seq":1,"event":"job.created","fields":{"config":5}}\n')
    forget(bench, broken)
    forget(bench, lost)

    start_over(bench)

    assert bench.store.get_job(lost.id).status is JobStatus.QUEUED


def test_mending_what_is_in_order_changes_nothing(bench: Workbench) -> None:
    queued, over = bench.submit(), bench.submit()
    control.cancel(bench.settings, bench.store, over.id)
    before = [bench.store.get_job(job.id) for job in (queued, over)]
    journals = [bench.paths(job).journal.read_bytes() for job in (queued, over)]

    start_over(bench)

    assert [bench.store.get_job(job.id) for job in (queued, over)] == before
    assert [bench.paths(job).journal.read_bytes() for job in (queued, over)] == journals
