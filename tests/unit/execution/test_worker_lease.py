"""The one lease of a data folder."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isengard.core.errors import Fenced, StartupError, StorageBusy
from isengard.execution import worker_lease
from isengard.execution.retries import ByCause
from isengard.jobs.leases import Holder, process_start
from standins.workbench import PATIENCE_S, Workbench, workbench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path / "data", lease_s=1.0) as made:
        yield made


def test_a_free_seat_is_taken_at_once(bench: Workbench) -> None:
    taken = worker_lease.take(bench.settings, bench.store, sleep=pytest.fail)

    assert taken is not None
    assert [worker.id for worker in bench.store.workers()] == [taken.registration.id]


def test_a_seat_whose_holder_shows_signs_of_life_is_refused(bench: Workbench) -> None:
    first = bench.store.register_worker(Holder.here(bench.settings.data_dir))

    with pytest.raises(StartupError, match=f"process {first.pid} on "):
        worker_lease.take(bench.settings, bench.store, sleep=lambda _: bench.store.beat(first))

    bench.store.beat(first)


def test_a_seat_whose_holder_is_silent_for_a_lease_is_taken_over_and_the_holder_fenced(bench: Workbench) -> None:
    first = bench.store.register_worker(Holder.here(bench.settings.data_dir))
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        time.sleep(seconds)

    second = worker_lease.take(bench.settings, bench.store, sleep=sleep)

    assert second is not None
    assert sum(waited) >= bench.settings.lease_s
    with pytest.raises(Fenced):
        bench.store.beat(first)


def test_a_seat_whose_holder_is_dead_is_taken_over_at_once(bench: Workbench) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = process_start(child.pid)
    assert started is not None
    dead = replace(Holder.here(bench.settings.data_dir), pid=child.pid, process_started=started)
    bench.store.register_worker(dead)
    child.kill()
    child.wait()

    assert worker_lease.take(bench.settings, bench.store, sleep=pytest.fail) is not None


SLEEPS_WITH_THE_LOCK = """
import os, signal, sqlite3, sys
input()
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_a_holder_that_was_stopped_with_the_databases_lock_in_its_hands_is_killed_by_its_successor(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/data/isengard.db?timeout=0.2"  # how long the successor waits for the lock
    with workbench(tmp_path / "data", lease_s=1.0, database_url=url) as bench:
        argv = [sys.executable, "-c", SLEEPS_WITH_THE_LOCK, str(bench.settings.paths.database)]
        holder = subprocess.Popen(argv, stdin=subprocess.PIPE)
        started = process_start(holder.pid)
        assert started is not None
        here = Holder.here(bench.settings.data_dir)
        bench.store.register_worker(replace(here, pid=holder.pid, process_started=started))
        _, status = _press_enter_and_wait(holder)
        assert os.WIFSTOPPED(status)

        taken = worker_lease.take(bench.settings, bench.store)

        assert holder.wait(PATIENCE_S) == -signal.SIGKILL
        assert taken is not None
        assert taken.predecessor is not None
        assert taken.predecessor.pid == holder.pid


def test_a_lock_in_other_hands_than_the_lost_holders_is_an_error(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/data/isengard.db?timeout=0.2"
    with workbench(tmp_path / "data", database_url=url) as bench:
        with sqlite3.connect(bench.settings.paths.database, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageBusy, match="locked"):
                worker_lease.take(bench.settings, bench.store)
        other.close()


def _press_enter_and_wait(holder: subprocess.Popen[bytes]) -> tuple[int, int]:
    assert holder.stdin is not None
    holder.stdin.write(b"\n")
    holder.stdin.close()
    return os.waitpid(holder.pid, os.WUNTRACED)


def test_waiting_for_a_seat_can_be_given_up(bench: Workbench) -> None:
    bench.store.register_worker(Holder.here(bench.settings.data_dir))
    answers = iter([False, True])

    assert worker_lease.take(bench.settings, bench.store, sleep=lambda _: None, stopped=lambda: next(answers)) is None


@pytest.mark.parametrize(
    ("most", "retries", "cause", "delay"),
    [
        (2, 0, {"retry": True}, 30.0),
        (2, 1, {"retry": True}, 60.0),
        (2, 2, {"retry": True}, None),
        (0, 0, {"retry": True}, None),
        (20, 12, {"retry": True}, 1800.0),
        (2, 0, {"retry": False}, None),
        (2, 0, None, None),
    ],
)
def test_only_causes_that_may_pass_are_tried_again_and_not_for_ever(
    bench: Workbench, most: int, retries: int, cause: dict[str, Any] | None, delay: float | None
) -> None:
    job = replace(bench.submit(), retries=retries)

    assert ByCause(most)(job, {"cause": cause}) == delay
