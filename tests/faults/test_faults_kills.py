"""Faults 1 to 5: kill -9 of the API, the worker, the runner, the trainer, and of everything, at random points.

After each the three witnesses are held to each other (`checker.py`): nothing lost, nothing twice, nothing out of order.
"""

from __future__ import annotations

import os
import random
import secrets
import time

from faults.site import VICTIMS, Site, a_moment, expected, strike
from isengard.execution import control
from isengard.jobs.models import JobStatus
from standins.workbench import eventually


def test_fault_01_api_killed_in_the_middle_of_a_stream_loses_no_line_for_its_viewer(running: Site) -> None:
    emission = running.emit(count=100_000)
    for connections in (1, 2, 3):
        seen = len(emission.viewer.frames)
        eventually(lambda seen=seen: len(emission.viewer.frames) > seen + 20, "the viewer being shown more")
        assert emission.viewer.connections == connections
        strike(running, emission, "api")
    emission.enough()
    done, _ = running.conclude(emission)
    assert done.status is JobStatus.COMPLETED
    assert emission.viewer.connections == 4


def test_fault_02_worker_killed_leaves_the_run_running_and_it_is_adopted_once(running: Site) -> None:
    emission = running.emit(count=100_000)
    emission.wait_for(40)
    strike(running, emission, "worker")
    running.bench.wait_for_event(emission.job, "job.adopted")
    emission.wait_for(emission.acknowledged() + 40)
    emission.enough()
    done, lines = running.conclude(emission)
    assert done.status is JobStatus.COMPLETED
    events = [line["event"] for line in lines]
    assert (events.count("job.started"), events.count("job.adopted")) == (1, 1)


def test_fault_03_runner_killed_fails_the_job_with_the_signal_and_takes_the_trainer_along(running: Site) -> None:
    emission = running.emit(count=100_000, pause_s=0.0005)
    emission.wait_for(500)
    strike(running, emission, "runner")
    failed, lines = running.conclude(emission)
    assert (failed.status, failed.error_type) == (JobStatus.FAILED, "RunnerDied")
    assert "killed by signal 9 (SIGKILL)" in lines[-1]["fields"]["error"]
    assert running.processes_of(emission) == []


def test_fault_04_trainer_killed_fails_the_job_with_exit_code_minus_9(running: Site) -> None:
    emission = running.emit(count=100_000, pause_s=0.0005)
    emission.wait_for(500)
    strike(running, emission, "trainer")
    failed, lines = running.conclude(emission)
    assert (failed.status, failed.error_type) == (JobStatus.FAILED, "ProcessKilled")
    exits = [line["fields"]["exit_code"] for line in lines if line["event"] == "subprocess.exit"]
    assert exits == [-9]


def test_fault_05_anything_or_everything_killed_at_a_random_moment(running: Site, rounds: int) -> None:
    """A job each round; each of the five victims in turn, `FAULT_ROUNDS` rounds. `FAULT_SEED` repeats a run's dice."""
    seed = os.environ.get("FAULT_SEED") or secrets.token_hex(4)
    dice = random.Random(seed)
    for number in range(rounds):
        victim = VICTIMS[number % len(VICTIMS)]
        emission = running.emit()
        a_moment(emission, dice)
        strike(running, emission, victim)
        wanted = expected(emission, victim)
        try:
            done, _ = running.conclude(emission)
            assert done.status in wanted
        except AssertionError as error:
            told = f"round {number} of FAULT_SEED={seed}, {victim} killed, {emission.job.id}"
            raise AssertionError(f"{told}: {error}") from error


def test_fault_05_killed_within_moments_of_its_claim_its_start_its_cancel_or_its_end(
    running: Site, rounds: int
) -> None:
    """Where a job passes from one hand to the next; a random one of the victims each, `FAULT_ROUNDS` rounds."""
    seed = os.environ.get("FAULT_SEED") or secrets.token_hex(4)
    dice = random.Random(seed)
    for number in range(max(4, rounds)):
        edge = ("claim", "start", "cancel", "end")[number % 4]
        victim = dice.choice(VICTIMS)
        emission = running.emit(count=100_000 if edge == "cancel" else 30, pause_s=0.002)
        if edge == "start":
            running.bench.wait_for_event(emission.job, "job.started")
        elif edge != "claim":
            emission.wait_for(10 if edge == "cancel" else 30)
        if edge == "cancel":
            control.cancel(running.bench.settings, running.bench.store, emission.job.id)
        time.sleep(dice.uniform(0, 0.15))  # the moment itself
        strike(running, emission, victim)
        try:
            done, _ = running.conclude(emission)
            if edge == "cancel":
                assert done.status is JobStatus.CANCELLED
            elif victim in ("api", "worker"):
                assert done.status is JobStatus.COMPLETED
        except AssertionError as error:
            told = f"round {number} of FAULT_SEED={seed}, {victim} killed at its {edge}, {emission.job.id}"
            raise AssertionError(f"{told}: {error}") from error
