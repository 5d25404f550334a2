"""A disk that is full for a while: made by the runner's own limit on file sizes, which the kernel enforces alike."""

from __future__ import annotations

import resource

from isengard.jobs.models import JobStatus
from standins.workbench import Workbench, eventually


def _allow(pid: int, size: int) -> None:
    """From now on the process cannot make a file larger than `size` bytes."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


def test_reports_wait_for_room_on_the_disk_and_then_come_in_order_once(bench: Workbench) -> None:
    bench.start_worker()
    job = bench.submit(steps=150, step_time_s=0.01)
    bench.wait_for_event(job, "training.step", count=10)
    journal, spool = bench.paths(job).journal, bench.paths(job).reports

    _allow(bench.runner_pid(job), journal.stat().st_size + 700)  # room for a line or two and a half
    eventually(lambda: spool.read_bytes().count(b"\n") > 100, "the training going on")
    full_at = journal.stat().st_size
    assert journal.read_bytes().endswith(b"}\n"), "half a line is left in the journal"
    eventually(lambda: spool.read_bytes().count(b"\n") > 120, "the training going on")
    assert journal.stat().st_size == full_at
    _allow(bench.runner_pid(job), resource.RLIM_INFINITY)

    assert bench.finish(job).status is JobStatus.COMPLETED
    assert [entry.fields["step"] for entry in bench.of(job, "training.step")] == list(range(1, 151))
    numbers = bench.reports_in_journal(job)
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_last_word_waits_for_room_on_the_disk(bench: Workbench) -> None:
    bench.start_worker()
    job = bench.submit(steps=60, step_time_s=0.01)
    bench.wait_for_event(job, "training.step", count=3)
    trainer = bench.trainer_pid(job)

    _allow(bench.runner_pid(job), bench.paths(job).journal.stat().st_size)
    eventually(lambda: trainer not in bench.survivors(job), "the trainer ending")
    assert bench.store.get_job(job.id).status is JobStatus.RUNNING
    _allow(bench.runner_pid(job), resource.RLIM_INFINITY)

    assert bench.finish(job).status is JobStatus.COMPLETED
    assert bench.events(job)[-1] == "job.completed"
