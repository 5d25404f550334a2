"""Faults 13, 14 and 16: a wall clock that jumps, a worker that sleeps past its lease, a machine that was suspended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.shims import compiled
from faults.site import Emission, Site, site
from isengard.execution import runner_lock
from isengard.jobs.models import JobStatus
from standins.workbench import PATIENCE_S, eventually

LEASE_S = 1.0


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled("clock", tmp_path_factory.mktemp("shim"))


def test_fault_13_a_clock_that_jumps_by_an_hour_keeps_order_and_expires_no_lease(clock: Path, tmp_path: Path) -> None:
    jump = tmp_path / "jump"
    jump.write_text("0")
    environment = {"LD_PRELOAD": str(clock), "FAULT_CLOCK": str(jump)}
    with site(tmp_path, environment=environment, lease_s=LEASE_S) as running:
        emission = running.emit(count=100_000)
        for seconds in ("3600", "-3600", "0"):
            _set(jump, seconds)
            emission.wait_for(emission.acknowledged() + 50)
            intruder = running.bench.start_worker(**environment)
            assert intruder.wait(PATIENCE_S) == 2, "a jump of the clock let a second worker in"
        assert running.worker.poll() is None
        emission.enough()
        done, lines = running.conclude(emission)
        assert done.status is JobStatus.COMPLETED
        hours = {line["ts"][:13] for line in lines}
        assert len(hours) >= 3, "the shim did not move the clock"
        assert [line["event"] for line in lines].count("job.adopted") == 0
        times = [line["fields"] for line in lines if line["event"] == "training.step"]
        assert all(0 <= fields.get("eta_seconds", 0) < 1e6 and fields.get("it_per_s", 1) > 0 for fields in times)


def _set(jump: Path, seconds: str) -> None:
    whole = jump.with_suffix(".new")
    whole.write_text(seconds)
    whole.replace(jump)


def test_fault_14_a_worker_stopped_past_its_lease_is_fenced_and_the_job_keeps_its_one_runner(tmp_path: Path) -> None:
    with site(tmp_path, lease_s=LEASE_S) as running:
        emission = running.emit(count=100_000)
        emission.wait_for(30)
        runner = running.bench.runner_pid(emission.job)
        first = running.worker
        database = running.bench.settings.paths.database
        eventually(lambda: _stopped(first, database, writing=False), "the worker being stopped between two writes")
        running.start_worker()
        running.bench.wait_for_event(emission.job, "job.adopted")
        first.send_signal(signal.SIGCONT)
        assert first.wait(PATIENCE_S) == 0
        assert runner_lock.is_held(running.bench.paths(emission.job))
        emission.wait_for(emission.acknowledged() + 30)
        emission.enough()
        done, lines = running.conclude(emission)
        assert done.status is JobStatus.COMPLETED
        started = [line["fields"]["pid"] for line in lines if line["event"] == "job.started"]
        assert started == [runner]
        assert [line["event"] for line in lines].count("job.adopted") == 1


def test_fault_14_a_worker_stopped_with_the_databases_lock_in_its_hands_keeps_nobody_waiting(tmp_path: Path) -> None:
    database = tmp_path / "data" / "isengard.db"
    environment = {"ISENGARD_DATABASE_URL": f"sqlite:///{database}?timeout=1"}
    with site(tmp_path, environment=environment, lease_s=LEASE_S) as running:
        emission = running.emit(count=100_000)
        emission.wait_for(30)
        first = running.worker
        eventually(lambda: _stopped(first, database, writing=True), "the worker being stopped while it writes")
        running.start_worker()
        running.bench.wait_for_event(emission.job, "job.adopted")
        assert first.wait(PATIENCE_S) == -signal.SIGKILL
        emission.enough()
        done, lines = running.conclude(emission)
        assert done.status is JobStatus.COMPLETED
        assert [line["event"] for line in lines].count("job.adopted") == 1


def _stopped(worker: subprocess.Popen[bytes], database: Path, *, writing: bool) -> bool:
    """Stop the worker; let it go on unless that was in the middle of a transaction, or was not, as wanted."""
    worker.send_signal(signal.SIGSTOP)
    eventually(lambda: _state(worker.pid) == "T", "the worker standing still")
    if _writes(worker.pid, database) is writing:
        return True
    worker.send_signal(signal.SIGCONT)
    return False


def _writes(pid: int, database: Path) -> bool:
    """Whether the process holds the byte of SQLite's shared memory that is the right to write."""
    inode = database.with_name(f"{database.name}-shm").stat().st_ino
    held = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return any(
        fields[3:5] == ["WRITE", str(pid)] and fields[5].endswith(f":{inode}") and fields[6] == "120"
        for fields in held
        if "->" not in fields
    )


def test_fault_16_a_machine_that_was_suspended_past_every_lease_reports_no_false_failure(tmp_path: Path) -> None:
    """All of its processes stop and go on together; harsher than a suspend, for the monotonic clock runs on."""
    with site(tmp_path, lease_s=LEASE_S) as running:
        emission = running.emit(count=100_000)
        emission.wait_for(30)
        waiting = running.bench.start_worker()  # one that is just watching the first one's lease
        with _suspended(running, emission, waiting):
            time.sleep(2.5 * LEASE_S)
        assert waiting.wait(PATIENCE_S) == 2, "the sleep of the first worker was taken for its death"
        emission.wait_for(emission.acknowledged() + 30)
        assert running.worker.poll() is None
        emission.enough()
        done, lines = running.conclude(emission)
        assert done.status is JobStatus.COMPLETED
        assert [line["event"] for line in lines].count("job.adopted") == 0


@contextlib.contextmanager
def _suspended(running: Site, emission: Emission, waiting: subprocess.Popen[bytes]) -> Iterator[None]:
    runner = running.bench.runner_pid(emission.job)
    everybody = [running.api.pid, running.worker.pid, waiting.pid, runner, *running.processes_of(emission)]
    _tell(everybody, signal.SIGSTOP)
    eventually(lambda: all(_state(pid) == "T" for pid in everybody), "all processes standing still")
    try:
        yield
    finally:
        _tell(everybody, signal.SIGCONT)


def _tell(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
