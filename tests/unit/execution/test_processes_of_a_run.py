"""Finding and ending the processes of a run, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isengard.core.paths import DataDir
from isengard.events.reports import ENV_RUN
from isengard.execution import process, runner_lock

SLEEP = [sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)"]


@pytest.fixture
def run_mark() -> Iterator[str]:
    mark = process.mark(f"train-{os.getpid()}-{time.monotonic_ns()}", 1)
    yield mark
    process.kill_all(lambda: process.marked(mark))  # and reaps those that are ours


def start(mark: str, argv: list[str] = SLEEP) -> subprocess.Popen[bytes]:
    reading, writing = os.pipe()
    child = process.start(argv, env={**os.environ, ENV_RUN: mark}, cwd=Path("/"), stdout=writing, stderr=writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as output:
        assert output.readline() == b"up\n"
    return child


def test_a_run_is_found_by_its_mark_and_only_by_the_whole_of_it(run_mark: str) -> None:
    child = start(run_mark)

    assert process.marked(run_mark) == [child.pid]
    assert process.marked(run_mark[:-1]) == []
    assert process.marked(f"{run_mark}0") == []
    assert child.pid in process.descendants(os.getpid())
    assert os.getsid(child.pid) == child.pid, "it is not in a session of its own"
    child.kill()
    child.wait()
    assert process.marked(run_mark) == []
    assert child.pid not in process.descendants(os.getpid())


def test_killing_goes_on_until_nothing_is_left_of_what_forks_meanwhile(run_mark: str) -> None:
    script = (
        "import os, time\nprint('up', flush=True)\nwhile True:\n    os.fork() or time.sleep(60)\n    time.sleep(0.05)"
    )
    child = start(run_mark, [sys.executable, "-c", script])

    killed, left = process.kill_all(lambda: process.marked(run_mark))
    child.wait()

    assert killed >= 1
    assert left == []
    assert process.marked(run_mark) == []


def test_a_child_dies_with_the_process_that_started_it(run_mark: str) -> None:
    script = (
        "import os, sys, time\nfrom pathlib import Path\nfrom isengard.execution import process\n"
        f"child = process.start({SLEEP!r}, env={{**os.environ, {ENV_RUN!r}: {run_mark!r}}}, cwd=Path('/'),"
        " stdout=1, stderr=2)\nprint(child.pid, flush=True)\ntime.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    first = parent.stdout.readline()
    assert first
    parent.kill()
    parent.wait()
    parent.stdout.close()

    deadline = time.monotonic() + 10
    while process.marked(run_mark):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.02)


def test_signalling_a_group_that_is_gone_says_so(run_mark: str) -> None:
    child = start(run_mark)

    assert process.signal_group(child.pid, signal.SIGTERM)
    assert child.wait() == -signal.SIGTERM
    assert not process.signal_group(child.pid, signal.SIGTERM)


def test_the_runners_lock_is_handed_over_and_freed_by_death(tmp_path: Path, run_mark: str) -> None:
    paths = DataDir(tmp_path).job("train-lock")
    paths.make()
    assert not runner_lock.is_held(paths)
    lock = runner_lock.take(paths)
    assert lock is not None
    assert runner_lock.take(paths) is None

    child = subprocess.Popen(SLEEP, pass_fds=(lock,), stdout=subprocess.DEVNULL, env={**os.environ, ENV_RUN: run_mark})
    os.close(lock)
    assert runner_lock.is_held(paths), "there was a moment in which nobody held the lock"
    child.kill()
    child.wait()

    assert not runner_lock.is_held(paths)
    again = runner_lock.take(paths)
    assert again is not None
    runner_lock.sign(again)
    assert runner_lock.holder(paths) == os.getpid()
    os.close(again)


def test_the_dead_below_a_runner_are_collected_even_when_their_parent_dies_after_them() -> None:
    """In a process of its own, which adopts orphans as a runner does."""
    script = """
import os, signal, subprocess, sys, time
from isengard.execution import process
process.become_subreaper()
parent = "import subprocess, sys, time; c = subprocess.Popen(['sleep', '60']); print(c.pid, flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, start_new_session=True)
grandchild = int(child.stdout.readline())
below = process.descendants(os.getpid())
assert sorted(below) == sorted([child.pid, grandchild]), below
os.kill(grandchild, signal.SIGKILL)  # dead first, and its parent does not ask
killed, left = process.kill_all(lambda: process.descendants(os.getpid()), signalled=below)
assert (killed, left) == (2, []), (killed, left)
for pid in below:
    assert not os.path.exists(f"/proc/{pid}"), f"{pid} lies in the process table"
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
