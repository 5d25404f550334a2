"""A running Isengard to be hurt: the API, a worker and jobs whose every event is accounted for, all real processes.

The listening socket belongs to the test, as it belongs to `isengard up`, so a viewer's connection waits while the API
is down instead of being refused.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from faults.checker import acknowledged, check_end, check_journal, check_viewer
from faults.viewer import Viewer
from isengard.execution import control, process, runner_lock
from isengard.jobs.models import Job, JobStatus
from standins.workbench import PATIENCE_S, Workbench, eventually, workbench

EMITTER = Path(__file__).with_name("emitter.py")


@dataclass
class Emission:
    """One job whose trainer records what was acknowledged, and who watches it.

    Attributes:
        count: How many events it emits if nobody stops it.
        record: The emitter's own record.
    """

    job: Job
    count: int
    record: Path
    viewer: Viewer

    def acknowledged(self) -> int:
        return acknowledged(self.record)

    def wait_for(self, number: int) -> None:
        """Until so many events are acknowledged."""
        eventually(lambda: self.acknowledged() >= number, f"event {number} of {self.job.id} being acknowledged")

    def enough(self) -> None:
        """Let the trainer finish."""
        self.record.with_suffix(".enough").touch()


class Site:
    """API and worker on one data folder.

    Attributes:
        url: Where the API is, whichever process that may be at the time.
    """

    def __init__(self, bench: Workbench, environment: dict[str, str]) -> None:
        self.bench = bench
        self._environment = {"ISENGARD_MAX_RETRIES": "0", **environment}  # a failure is to be seen, not tried again
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.emissions: list[Emission] = []
        self.api = self.start_api()
        self.worker = self.start_worker()

    def start_api(self) -> subprocess.Popen[bytes]:
        port, descriptor = self._listener.getsockname()[1], self._listener.fileno()
        place = ["--data-dir", str(self.bench.settings.data_dir), "--port", str(port), "--fd", str(descriptor)]
        argv = [sys.executable, "-m", "isengard", "api", *place]
        self.api = subprocess.Popen(argv, pass_fds=[descriptor], env={**os.environ, **self._environment})
        return self.api

    def start_worker(self) -> subprocess.Popen[bytes]:
        self.worker = self.bench.start_worker(**self._environment)
        return self.worker

    def emit(self, count: int = 150, pause_s: float = 0.004, *ways: str) -> Emission:
        """Queue a job that emits `count` events, and watch it from its first line on."""
        folder = self.bench.settings.data_dir.parent
        record = folder / f"acknowledged-{len(self.emissions)}"
        command = [sys.executable, str(EMITTER), str(record), str(count), str(pause_s), *ways]
        job, _ = control.submit(
            self.bench.settings,
            self.bench.store,
            character_id=self.bench.character.id,
            trainer="command",
            config={"command": command, "steps": count, "expect_lora": False},
        )
        self.bench.jobs.append(job.id)
        emission = Emission(job, count, record, Viewer(self.url, job.id))
        self.emissions.append(emission)
        emission.viewer.start()
        return emission

    def processes_of(self, emission: Emission) -> list[int]:
        """The trainer and whatever it started."""
        return process.marked(process.mark(emission.job.id, 1))

    def kill_api(self) -> None:
        self.api.kill()
        self.api.wait()

    def kill_worker(self) -> None:
        self.worker.kill()
        self.worker.wait()

    def kill_runner(self, emission: Emission) -> None:
        paths = self.bench.paths(emission.job)
        pid = runner_lock.holder(paths)
        if pid is not None and runner_lock.is_held(paths):
            _kill(pid)

    def kill_trainer(self, emission: Emission) -> None:
        for pid in self.processes_of(emission):
            _kill(pid)

    def conclude(self, emission: Emission) -> tuple[Job, list[dict[str, Any]]]:
        """Wait for the end of the job and of its viewer, and hold all witnesses to each other."""
        done = self.bench.finish(emission.job)
        eventually(lambda: emission.viewer.over, "the viewer being shown the end")
        lines = check_journal(self.bench.paths(done).journal, emission.record)
        check_end(lines, done.status.value)
        check_viewer(emission.viewer.frames, lines)
        assert self.bench.survivors(done) == []
        return done, lines

    def close(self) -> None:
        for emission in self.emissions:
            emission.viewer.stop()
        self.api.terminate()
        self.api.wait(PATIENCE_S)
        self._listener.close()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def site(folder: Path, *, environment: dict[str, str] | None = None, **settings: Any) -> Iterator[Site]:
    """A site that answers, and is cleaned up."""
    with workbench(folder / "data", **{"max_running_jobs": 8, **settings}) as bench:
        made = Site(bench, environment or {})
        try:
            assert httpx.get(f"{made.url}/health", timeout=PATIENCE_S).status_code == 200
            yield made
        finally:
            made.close()


VICTIMS = ("api", "worker", "runner", "trainer", "everything")


def strike(site: Site, emission: Emission, victim: str) -> None:
    """kill -9 of one of the processes, or of all of them at once; API and worker are started again, as `up` does."""
    everything = victim == "everything"
    if everything or victim == "api":
        site.kill_api()
    if everything or victim == "worker":
        site.kill_worker()
    if everything or victim == "runner":
        site.kill_runner(emission)
    if everything or victim == "trainer":
        site.kill_trainer(emission)
    if everything or victim == "api":
        site.start_api()
    if everything or victim == "worker":
        site.start_worker()


def a_moment(emission: Emission, dice: random.Random) -> None:
    """Wait for a random one: before, during or after the training, half of the times between two of its events."""
    if dice.random() < 0.5:
        emission.wait_for(dice.randint(1, emission.count - 1))
        return
    with contextlib.suppress(AssertionError):  # the moment itself is what is waited for
        eventually(lambda: False, "a random moment", dice.uniform(0.01, 2.5))


def expected(emission: Emission, victim: str) -> set[JobStatus]:
    """How the job may end after `victim` was killed just now."""
    if victim in ("api", "worker"):
        return {JobStatus.COMPLETED}
    in_training = 0 < emission.acknowledged() < emission.count
    return {JobStatus.FAILED} if in_training else {JobStatus.COMPLETED, JobStatus.FAILED}
