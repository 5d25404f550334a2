"""Jobs that a worker answers for although it cannot read their journals for a while."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from isengard.execution.job_supervisor import JobSupervisor
from isengard.execution.reconcile import reconcile
from isengard.execution.retries import ByCause
from isengard.execution.worker_lease import WorkerLease
from isengard.jobs.leases import Holder
from isengard.jobs.models import Job, JobStatus
from isengard.journal import JournalCursor
from standins.workbench import Workbench, workbench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path / "data") as made:
        yield made


class NothingStarts:
    """A launcher that finds the job to have a runner already."""

    def launch(self, _job: Job, _character: object) -> None:
        return None


def supervisor_of(bench: Workbench) -> JobSupervisor:
    registration = bench.store.register_worker(Holder.here(bench.settings.data_dir))
    lease = WorkerLease(registration, None)
    return JobSupervisor(bench.settings, bench.store, lease, NothingStarts(), ByCause(0))  # type: ignore[arg-type]


def make_unreadable(patch: pytest.MonkeyPatch, job: Job) -> None:
    real = JournalCursor.read_new

    def read_new(cursor: JournalCursor, max_bytes: int = 1 << 18) -> list[bytes]:
        if cursor._paths.job_id == job.id:
            raise OSError(errno.EMFILE, "Too many open files")
        return real(cursor, max_bytes)

    patch.setattr(JournalCursor, "read_new", read_new)


def test_a_claimed_job_whose_journal_cannot_be_read_is_held_all_the_same(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.submit()
    supervisor = supervisor_of(bench)
    with monkeypatch.context() as patch:
        make_unreadable(patch, job)
        supervisor.turn()
        assert set(supervisor.held) == {job.id}
        supervisor.turn()
    bench.store.pause_queue()
    supervisor.turn()  # it can be read again, and nobody runs it
    assert supervisor.held == {}
    assert bench.store.get_job(job.id).status is JobStatus.QUEUED


def test_of_jobs_that_are_taken_over_one_that_cannot_be_read_costs_no_other(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = bench.submit(), bench.submit()
    dead = bench.store.register_worker(Holder.here(bench.settings.data_dir))
    assert {job.id for job in (bench.store.claim(dead), bench.store.claim(dead)) if job} == {first.id, second.id}
    bench.store.release(dead)
    bench.store.pause_queue()
    supervisor = supervisor_of(bench)
    with monkeypatch.context() as patch:
        make_unreadable(patch, first)
        reconcile(bench.settings, bench.store, supervisor)
        assert set(supervisor.held) == {first.id, second.id}
    supervisor.turn()
    assert [bench.store.get_job(job.id).status for job in (first, second)] == [JobStatus.QUEUED] * 2
