"""Cancels: of a job that waits, that prepares, that trains, that will not stop, that is just finishing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isengard.core.errors import Conflict
from isengard.execution import control
from isengard.jobs.models import JobStatus
from standins.workbench import Workbench, workbench

TERMINAL = {"job.completed", "job.failed", "job.cancelled"}


def test_a_queued_job_is_cancelled_at_once_without_a_worker(bench: Workbench) -> None:
    job = bench.submit()

    cancelled = control.cancel(bench.settings, bench.store, job.id)

    assert cancelled.status is JobStatus.CANCELLED
    assert bench.events(job) == ["job.created", "job.queued", "job.cancelled"]
    with pytest.raises(Conflict, match="is cancelled already"):
        control.cancel(bench.settings, bench.store, job.id)
    bench.start_worker()
    later = bench.submit(steps=1)
    bench.finish(later)
    assert bench.events(job)[-1] == "job.cancelled", "the worker touched a cancelled job"


def test_a_training_that_is_cancelled_saves_and_stops(bench: Workbench) -> None:
    bench.start_worker()
    loading = bench.submit(start_time_s=60)
    training = bench.submit(steps=5000)
    bench.wait_for_event(loading, "subprocess.start")
    bench.wait_for_event(training, "training.step", count=5)

    for job in (loading, training):
        assert control.cancel(bench.settings, bench.store, job.id).status is JobStatus.CANCELLING
        assert control.cancel(bench.settings, bench.store, job.id).status is JobStatus.CANCELLING, "not idempotent"

    for job in (loading, training):
        assert bench.finish(job).status is JobStatus.CANCELLED
        assert [event for event in bench.events(job) if event in TERMINAL] == ["job.cancelled"]
        assert bench.of(job, "subprocess.exit")[0].fields["exit_code"] == 20
        assert "cancel requested" in next(entry for entry in bench.of(job, "job.stage") if "cancel" in entry.msg).msg
        assert bench.survivors(job) == []
    last_step = bench.of(training, "training.step")[-1].fields["step"]
    assert [entry.fields["step"] for entry in bench.of(training, "training.checkpoint")][-1] == last_step
    assert bench.entries(training)[-1].fields["step"] == last_step


@pytest.fixture
def hasty_bench(tmp_path: Path) -> Iterator[Workbench]:
    """A workbench where a trainer has half a second to stop."""
    with workbench(tmp_path / "data", grace_period_s=0.5) as made:
        yield made


def test_a_trainer_that_ignores_every_request_is_killed_with_all_it_started(hasty_bench: Workbench) -> None:
    bench = hasty_bench
    bench.start_worker()
    job = bench.submit(fail_mode="stubborn", fail_at_step=2)
    bench.wait_for_event(job, "training.step")
    hung = bench.wait_for_event(job, "log", count=2)
    assert hung

    control.cancel(bench.settings, bench.store, job.id)

    assert bench.finish(job).status is JobStatus.CANCELLED
    told = [entry.msg for entry in bench.of(job, "log") if entry.level == "WARN"]
    assert "sending SIGTERM" in told[0]
    assert "sending SIGKILL" in told[1]
    assert bench.of(job, "subprocess.exit")[0].fields["exit_code"] == -9
    assert [event for event in bench.events(job) if event in TERMINAL] == ["job.cancelled"]
    assert bench.survivors(job) == []


def test_a_cancel_that_races_the_end_leaves_one_terminal_line_and_an_agreeing_store(bench: Workbench) -> None:
    bench.start_worker()
    jobs = [bench.submit(steps=12, step_time_s=0.01) for _ in range(6)]
    for number, job in enumerate(jobs):
        bench.wait_for_event(job, "training.step", count=2 * number)
        try:
            control.cancel(bench.settings, bench.store, job.id)
        except Conflict:
            time.sleep(0)  # it was quicker

    for job in jobs:
        done = bench.finish(job)
        terminal = [event for event in bench.events(job) if event in TERMINAL]
        assert terminal == [f"job.{done.status}"]
        assert bench.events(job)[-1] == terminal[0]
        assert done.status in (JobStatus.CANCELLED, JobStatus.COMPLETED)


def test_ending_the_runner_by_sigterm_is_a_cancel_that_can_be_resumed(bench: Workbench) -> None:
    bench.start_worker()
    job = bench.submit(steps=5000)
    bench.wait_for_event(job, "training.step", count=3)

    os.kill(bench.runner_pid(job), signal.SIGTERM)

    assert bench.finish(job).status is JobStatus.CANCELLED
    assert "SIGTERM" in [entry.msg for entry in bench.of(job, "job.stage")][-1]


def test_samples_and_checkpoints_are_made_on_request(bench: Workbench) -> None:
    bench.start_worker()
    job = bench.submit(steps=5000, sample_every_n_steps=0, checkpoint_every_n_steps=0)
    bench.wait_for_event(job, "training.step", count=2)

    control.request(bench.settings, bench.store, job.id, control.Command.SAMPLE)
    control.request(bench.settings, bench.store, job.id, control.Command.SAVE)

    assert len(bench.wait_for_event(job, "training.sample")) == 1
    assert len(bench.wait_for_event(job, "training.checkpoint")) == 1
    control.cancel(bench.settings, bench.store, job.id)
    bench.finish(job)
    with pytest.raises(Conflict, match="only a running one"):
        control.request(bench.settings, bench.store, job.id, control.Command.SAMPLE)
