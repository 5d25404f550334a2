"""When a worker counts as lost: only by what the observer itself saw on its own clock, or by a process that is gone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isengard.jobs.leases import Holder, LeaseObserver, Worker, folder_identity, is_dead, process_start

LEASE_S = 12.0


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    here = Holder.here(tmp_path)
    now = datetime.now(UTC)
    return Worker(
        here.id,
        here.folder,
        here.host,
        here.machine,
        here.pid,
        here.process_started,
        0,
        1,
        registered_at=now,
        beat_at=now,
    )


def test_a_silent_worker_is_lost_after_a_whole_lease(worker: Worker) -> None:
    clock = Clock()
    observer = LeaseObserver(LEASE_S, clock)
    verdicts = []
    for _ in range(8):
        verdicts.append(bool(observer.look([worker])))
        clock.now += 2.0
    assert verdicts == [False, False, False, False, False, False, True, True]


def test_a_beat_starts_the_lease_anew(worker: Worker) -> None:
    clock = Clock()
    observer = LeaseObserver(LEASE_S, clock)
    for beat in range(20):
        for _ in range(4):
            assert observer.look([replace(worker, beat=beat)]) == []
            clock.now += 2.9
    assert observer.silent_s(worker) < LEASE_S


def test_the_workers_wall_clock_plays_no_part(worker: Worker) -> None:
    clock = Clock()
    observer = LeaseObserver(LEASE_S, clock)
    observer.look([worker])
    clock.now += 1.0
    for year in (1970, 2026, 2999):
        assert observer.look([replace(worker, beat_at=datetime(year, 1, 1, tzinfo=UTC))]) == []


def test_an_observer_that_was_suspended_gives_the_others_time(worker: Worker) -> None:
    clock = Clock()
    observer = LeaseObserver(LEASE_S, clock)
    observer.look([worker])
    clock.now += 3600.0
    assert observer.look([worker]) == []
    clock.now += 2.0
    assert observer.look([replace(worker, beat=1)]) == []
    assert observer.silent_s(worker) == 0.0


@given(gaps=st.lists(st.floats(0.0, 100.0), max_size=40))
def test_nobody_is_lost_before_the_lease_is_over(gaps: list[float]) -> None:
    clock = Clock()
    observer = LeaseObserver(LEASE_S, clock)
    now = datetime.now(UTC)
    elsewhere = Worker("worker-1", "folder-1", "far", "another machine", 1, 0.0, 0, 1, registered_at=now, beat_at=now)
    looked = [bool(observer.look([elsewhere]))]
    for gap in gaps:
        clock.now += gap
        looked.append(bool(observer.look([elsewhere])))
        if looked[-1]:
            assert clock.now - 1000.0 >= LEASE_S
            assert len(looked) >= 5


def test_a_worker_that_left_and_came_back_is_looked_at_anew(worker: Worker) -> None:
    clock = Clock()
    observer = LeaseObserver(LEASE_S, clock)
    for _ in range(5):
        observer.look([worker])
        clock.now += 2.9
    observer.look([])
    assert observer.look([worker]) == []
    assert observer.silent_s(worker) == 0.0


def a_process() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


def test_a_process_that_is_gone_is_lost_at_once(worker: Worker) -> None:
    process = a_process()
    started = process_start(process.pid)
    assert started is not None
    there = replace(worker, pid=process.pid, process_started=started)
    observer = LeaseObserver(LEASE_S)
    assert observer.look([there]) == []
    process.kill()
    deadline = time.monotonic() + 10
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
    assert observer.look([there]) == [there]  # a zombie has ended, though its parent has not asked
    process.wait()
    assert is_dead(there)


def test_a_stopped_process_is_not_dead(worker: Worker) -> None:
    process = a_process()
    started = process_start(process.pid)
    assert started is not None
    process.send_signal(signal.SIGSTOP)
    assert not is_dead(replace(worker, pid=process.pid, process_started=started))
    process.kill()
    process.wait()


def test_another_process_with_the_same_pid_is_not_taken_for_the_worker(worker: Worker) -> None:
    assert not is_dead(worker)
    assert is_dead(replace(worker, process_started=worker.process_started - 1))


def test_nothing_is_known_of_processes_on_another_machine(worker: Worker) -> None:
    assert not is_dead(replace(worker, machine="0" * 64, pid=2**22 - 1))


def test_a_folder_has_one_identity_for_all_processes(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        identities = set(pool.map(folder_identity, [tmp_path] * 9))
        pool.close()
        pool.join()
    assert identities == {folder_identity(tmp_path)}
    assert os.listdir(tmp_path) == ["folder.id"]
    (tmp_path / "other").mkdir()
    assert folder_identity(tmp_path / "other") not in identities
