"""Faults 15 and 17 to 20: two workers, a trainer that will not go, hides or loses its parent, a cancel at the end.

The killing of process trees by itself is held in `tests/unit/execution/test_processes_of_a_run.py`.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from faults.site import Emission, Site, strike
from isengard.core.errors import Conflict
from isengard.execution import control
from isengard.jobs.models import JobStatus
from standins.workbench import eventually


def test_fault_15_of_several_workers_on_one_folder_one_works_and_each_job_runs_once(running: Site) -> None:
    running.kill_worker()
    rivals = [running.bench.start_worker() for _ in range(3)]
    emissions = [running.emit(count=20) for _ in range(4)]
    eventually(lambda: sum(rival.poll() == 2 for rival in rivals) == 2, "two of three workers being refused")
    assert [rival.poll() for rival in rivals].count(None) == 1
    running.worker = next(rival for rival in rivals if rival.poll() is None)
    for emission in emissions:
        done, lines = running.conclude(emission)
        assert done.status is JobStatus.COMPLETED
        assert [line["event"] for line in lines].count("job.started") == 1


def test_fault_17_a_trainer_that_ignores_sigterm_is_killed_after_two_grace_periods(running: Site) -> None:
    emission = running.emit(100_000, 0.004, "deaf")
    emission.wait_for(20)
    control.cancel(running.bench.settings, running.bench.store, emission.job.id)
    done, lines = running.conclude(emission)
    assert done.status is JobStatus.CANCELLED
    told = [line["msg"] for line in lines if line["level"] == "WARN" and "sending SIG" in line["msg"]]
    assert ["SIGTERM" in told[0], "SIGKILL" in told[1]] == [True, True]
    assert [line["fields"]["exit_code"] for line in lines if line["event"] == "subprocess.exit"] == [-9]


@pytest.mark.parametrize("victim", ["trainer", "runner", "nobody"])
def test_fault_18_what_forked_away_into_other_sessions_does_not_survive_the_run(running: Site, victim: str) -> None:
    emission = running.emit(100_000, 0.004, "forking")
    emission.wait_for(20)
    orphans = [int(line) for line in emission.record.with_suffix(".orphans").read_text().split()]
    assert len(orphans) == 2
    assert all(_lives(pid) for pid in orphans)
    if victim == "nobody":
        emission.enough()
    elif victim == "trainer":  # itself, and not what carries its mark
        os.kill(running.bench.trainer_pid(emission.job), signal.SIGKILL)
    else:
        strike(running, emission, victim)
    done, _ = running.conclude(emission)
    assert done.status is (JobStatus.COMPLETED if victim == "nobody" else JobStatus.FAILED)
    eventually(lambda: not any(_lives(pid) for pid in orphans), "the orphans being gone")


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}/exe").exists()


def test_fault_19_the_parents_death_reaches_the_trainer_and_the_end_of_a_thread_does_not(tmp_path: Path) -> None:
    """The kernel sends the parent-death signal when the thread ends that forked, not the process."""
    script = textwrap.dedent("""
        import os, threading, time
        from pathlib import Path
        from isengard.execution import process
        def start():
            return process.start(["sleep", "60"], env=dict(os.environ), cwd=Path("/"), stdout=1, stderr=2)
        refused = []
        def elsewhere():
            try:
                start().kill()
            except RuntimeError as error:
                refused.append(str(error))
        child = start()
        for _ in range(8):
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
        time.sleep(0.2)
        print(child.pid, child.poll(), len(refused), flush=True)
        time.sleep(60)
    """)
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert parent.stdout is not None
    pid, ended, refused = parent.stdout.readline().split()
    assert ended == "None", "the end of a thread was taken for the death of the parent"
    assert refused == "8", "a thread that will end may start a trainer"
    assert _lives(int(pid))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(lambda: not _lives(int(pid)), "the child dying with its parent")


def test_fault_20_cancel_racing_completion_leaves_one_end_and_an_agreeing_store(running: Site, rounds: int) -> None:
    dice = random.Random(20)
    outcomes: list[JobStatus] = []
    for _ in range(2 * rounds):
        batch = [running.emit(count=25, pause_s=0.002) for _ in range(2)]
        for emission in batch:
            emission.wait_for(24)
            _cancel_after(running, emission, dice.uniform(0, 0.3))
        outcomes += [running.conclude(emission)[0].status for emission in batch]
    assert set(outcomes) <= {JobStatus.CANCELLED, JobStatus.COMPLETED}


def _cancel_after(running: Site, emission: Emission, seconds: float) -> None:
    time.sleep(seconds)  # the race itself
    with contextlib.suppress(Conflict):  # it was quicker
        control.cancel(running.bench.settings, running.bench.store, emission.job.id)
