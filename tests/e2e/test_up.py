"""`isengard up` as a process: starting, losing a child, ending in every way, refusing to start."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from isengard.jobs.models import JobStatus
from standins.workbench import Workbench, eventually, workbench

_ADDRESS = re.compile(r"Isengard is at (https?://\S+)")


class Up:
    """One `isengard up` on a free port."""

    def __init__(self, data_dir: Path, *arguments: str, **environment: str) -> None:
        self.output = data_dir.parent / f"up-{secrets.token_hex(4)}.txt"
        argv = [sys.executable, "-m", "isengard", "up", "--port", "0", "--data-dir", str(data_dir), *arguments]
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                argv, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **environment}
            )

    def said(self) -> str:
        return self.output.read_text()

    def wait_until_it_answers(self) -> None:
        eventually(lambda: _ADDRESS.search(self.said()), f"the line with the URL, after: {self.said()}")

    def get(self, path: str) -> int:
        match = _ADDRESS.search(self.said())
        assert match is not None
        address = urlsplit(match[1])
        with contextlib.closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)) as link:
            link.request("GET", path)
            return link.getresponse().status

    def child(self, name: str) -> psutil.Process:
        def running() -> psutil.Process | None:
            found = psutil.Process(self.process.pid).children()
            return next((each for each in found if _names(each, name)), None)

        return eventually(running, f"a process of the {name}")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


def _names(process: psutil.Process, name: str) -> bool:
    try:
        return ["isengard", name] == process.cmdline()[3:5]
    except psutil.Error:
        return False


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path / "data") as made:
        yield made


@contextlib.contextmanager
def up(bench: Workbench, *arguments: str) -> Iterator[Up]:
    started = Up(
        bench.settings.data_dir,
        *arguments,
        ISENGARD_GRACE_PERIOD_S=str(bench.settings.grace_period_s),
        ISENGARD_LEASE_S=str(bench.settings.lease_s),
    )
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()  # the parent pipe ends its children
            started.process.wait()


def test_it_serves_restarts_what_dies_and_leaves_trainings_running(bench: Workbench) -> None:
    with up(bench) as first:
        first.wait_until_it_answers()
        assert first.get("/health") == 200
        assert first.said().count("\n") == 1
        api, worker = first.child("api"), first.child("worker")
        job = bench.submit(steps=100_000)
        bench.wait_for_event(job, "training.step")
        runner = bench.runner_pid(job)

        api.kill()
        api.wait(10)
        assert first.get("/health") == 200  # asked while it was down: the socket stayed, the answer came later
        assert first.child("api").pid != api.pid
        assert "the api ended (killed by SIGKILL); starting it again" in first.said()

        children = [first.child("api"), worker]
        assert first.end(signal.SIGTERM) == 0
        assert job.id in first.said()
        assert f"isengard cancel JOB --data-dir {bench.settings.data_dir}" in first.said(), "typed as told, it is found"
        assert psutil.wait_procs(children, timeout=10)[1] == []
        assert psutil.pid_exists(runner)

    with up(bench) as second:
        second.wait_until_it_answers()
        bench.wait_for_event(job, "job.adopted")
        assert bench.runner_pid(job) == runner
        second.end(signal.SIGINT)
        second_said = second.said()
        assert "goes on" in second_said

    with up(bench, "--stop-jobs") as third:
        third.wait_until_it_answers()
        bench.wait_for_event(job, "job.adopted", count=2)
        assert third.end(signal.SIGTERM) == 0
    assert bench.finish(job).status is JobStatus.CANCELLED
    assert bench.survivors(job) == []


def test_a_second_ctrl_c_cancels_the_trainings(bench: Workbench) -> None:
    with up(bench) as running:
        running.wait_until_it_answers()
        job = bench.submit(steps=100_000)
        bench.wait_for_event(job, "training.step")
        running.process.send_signal(signal.SIGINT)
        eventually(lambda: "Ctrl-C again" in running.said(), "the offer to cancel")
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(60) == 0
    assert bench.store.get_job(job.id).status is JobStatus.CANCELLED
    assert bench.survivors(job) == []


def test_killed_it_takes_its_services_along_and_leaves_the_training(bench: Workbench) -> None:
    with up(bench) as running:
        running.wait_until_it_answers()
        children = [running.child("api"), running.child("worker")]
        job = bench.submit(steps=100_000)
        bench.wait_for_event(job, "training.step")
        runner = bench.runner_pid(job)
        running.process.kill()
        running.process.wait()
        assert psutil.wait_procs(children, timeout=20)[1] == []
        assert psutil.pid_exists(runner)


def test_a_second_one_on_the_same_folder_is_refused(bench: Workbench) -> None:
    with up(bench) as first:
        first.wait_until_it_answers()
        first.child("worker")
        eventually(bench.store.workers, "the worker's lease being taken")
        with up(bench) as second:
            assert second.process.wait(60) == 2
            assert "Traceback" not in second.said()
            assert "worker" in second.said()
        assert first.get("/health") == 200


def refused(*arguments: str, **environment: str) -> str:
    """What a start that must fail says, on one line and with exit code 2."""
    argv = [sys.executable, "-m", "isengard", "up", *arguments]
    ended = subprocess.run(
        argv, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment}
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    return ended.stderr


def test_a_taken_port_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port} is taken" in refused("--port", port, "--data-dir", str(tmp_path))


def test_an_unwritable_folder_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = str(tmp_path / "file" / "data")
    assert f"the data folder {folder} cannot be written" in refused("--port", "0", "--data-dir", folder)


def test_a_damaged_list_of_tokens_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    """It is not taken for an empty one, which would open the door or lock everybody out."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "access.json").write_text("{")
    assert "secrets/access.json in the data folder cannot be read" in refused(
        "--port", "0", "--data-dir", str(tmp_path)
    )


def test_an_address_that_others_can_reach_gets_a_token_told_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for said_before in (False, True):
        running = Up(data, "--host", "0.0.0.0", ISENGARD_TOKEN="")  # an empty token is none
        try:
            running.wait_until_it_answers()
            assert (running.get("/health"), running.get("/api/training")) == (200, 401)
            told = re.search(r"Access token, shown only this once: (\S+)", running.said())
            assert (told is None) is said_before
            assert running.end() == 0
        finally:
            running.process.kill()
            running.process.wait()
