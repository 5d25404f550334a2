"""A site with two API replicas and a worker, and hosts with workers of their own, each in a namespace. All real.

Every process is started again when it is killed, as a supervisor would.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cluster.network import Host, Network, network
from cluster.services import Postgres, Redis
from faults.checker import acknowledged
from faults.site import EMITTER
from isengard.core.paths import DataDir
from isengard.execution import control, process, runner_lock
from isengard.jobs.models import Job, JobStatus
from standins.workbench import PATIENCE_S, Workbench, eventually

LOST_HOST_S = "8"
API_PORTS = {"api1": 8000, "api2": 8001}


class Member:
    """One of the processes of the cluster, started again whenever it ends by itself, as a supervisor would."""

    def __init__(self, argv: list[str], env: dict[str, str], log: Path) -> None:
        self._argv, self._env, self._log = argv, env, log
        self._running: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        self._start()
        self._keeper.start()

    def kill(self, **env: str) -> None:
        """SIGKILL; it is started again at once, with these changes to its environment."""
        assert self._running is not None
        self._env = {**self._env, **env}
        self._running.kill()

    def end(self) -> None:
        self._ended.set()
        if self._running is not None:
            self._running.terminate()
        self._keeper.join(PATIENCE_S)

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(self._argv, env=self._env, stdout=log, stderr=log)

    def _keep(self) -> None:
        while self._running is not None:
            self._running.wait()
            if self._ended.is_set():
                return
            self._start()


@dataclass
class Emission:
    """One job whose trainer keeps a record of what was acknowledged to it."""

    job: Job
    count: int
    record: Path

    def acknowledged(self) -> int:
        return acknowledged(self.record)

    def arrived(self, journal: Path) -> int:
        """The newest of its events in `journal`, of which the last line may be just being written; 0 for none."""
        with journal.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 65536))
            found = re.findall(rb'"emitted":(\d+)', file.read())
        return int(found[-1]) if found else 0

    def enough(self) -> None:
        self.record.with_suffix(".enough").touch()


class Cluster:
    """Everything."""

    def __init__(self, folder: Path, net: Network, token: str, hosts: tuple[str, ...], **settings: Any) -> None:
        self.net = net
        self.folder = folder
        self.token = token
        self.redis = Redis(net.address)
        self.postgres = Postgres(net.address, net.range)
        self.redis.start()
        self.postgres.start()
        given = {"database_url": self.postgres.url, "redis_url": self.redis.url, **settings}
        self.bench = Workbench(folder / "site", **given)
        self.hosts = hosts
        self.members: dict[str, Member] = {}
        self.emissions: list[Emission] = []
        self.ray: Any = None
        self._settings = {f"ISENGARD_{name.upper()}": str(value) for name, value in settings.items()}
        for name, port in API_PORTS.items():
            self._add(name, net.hosts["site"], "api", "--host", net.hosts["site"].address, "--port", str(port))

    def start_workers(self, slots: int) -> None:
        """The site's worker, which starts nothing itself, and one on each host, for `slots` jobs at a time."""
        self.start_worker(ISENGARD_LAUNCHER="none")
        for name in self.hosts:
            self._add(
                name, self.net.hosts[name], "worker", ISENGARD_REMOTE="true", ISENGARD_MAX_RUNNING_JOBS=str(slots)
            )

    def start_worker(self, **env: str) -> None:
        """The site's worker."""
        self._add("worker", self.net.hosts["site"], "worker", **env)

    def data(self, name: str) -> DataDir:
        """The data folder of a host, or of the site for its members."""
        return DataDir(self.folder / (name if name in self.hosts else "site"))

    def _add(self, name: str, host: Host, command: str, *options: str, **more: str) -> None:
        argv = host.command(sys.executable, "-P", "-m", "isengard", command, "--data-dir", str(self.data(name).root))
        env = {
            **os.environ,
            "ISENGARD_DATABASE_URL": self.postgres.url,
            "ISENGARD_REDIS_URL": self.redis.url,
            "ISENGARD_TOKEN": self.token,
            "ISENGARD_LEASE_S": "5",
            "ISENGARD_LOST_HOST_S": LOST_HOST_S,
            **self._settings,
            **more,
        }
        self.members[name] = Member([*argv, *options], env, self.folder / f"{name}.log")
        self.members[name].start()

    def emit(self, count: int, pause_s: float = 0.01) -> Emission:
        """Queue a job that emits `count` events."""
        record = self.folder / f"acknowledged-{len(self.emissions)}"
        command = [sys.executable, str(EMITTER), str(record), str(count), str(pause_s)]
        job, _ = control.submit(
            self.bench.settings,
            self.bench.store,
            character_id=self.bench.character.id,
            trainer="command",
            config={"command": command, "steps": count, "expect_lora": False},
        )
        emission = Emission(job, count, record)
        self.emissions.append(emission)
        return emission

    def finish(self, job: Job) -> Job:
        return self.bench.wait_for_status(job, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)

    def host_of(self, job: Job) -> str:
        """The host on which the job's runner lives or lived; empty if none has its folder."""
        return next((name for name in self.hosts if self.data(name).job(job.id).root.exists()), "")

    def kill_runner(self, job: Job) -> None:
        for name in self.hosts:
            paths = self.data(name).job(job.id)
            pid = runner_lock.holder(paths)
            if pid is not None and runner_lock.is_held(paths):
                _kill(pid)

    def kill_trainer(self, job: Job) -> None:
        for pid in process.marked(process.mark(job.id, 1)):
            _kill(pid)

    def kill_outpost(self, name: str) -> None:
        pid = _pid_in(self.data(name).run / "agent.lock")
        if pid is not None:
            _kill(pid)

    def journal_at(self, replica: str, job: Job) -> bytes:
        """The journal as one of the API replicas gives it."""
        return self.ask(f"/api/jobs/{job.id}/logs", replica)

    def ask(self, path: str, replica: str = "api1") -> bytes:
        """The body of an answer of the API."""
        url = f"http://{self.net.hosts['site'].address}:{API_PORTS[replica]}{path}"
        credentials = {"Authorization": f"Bearer {self.token}"}
        eventually(lambda: _answers(url, credentials), f"{url} answering")  # it may just be starting again
        answer = httpx.get(url, headers=credentials, timeout=PATIENCE_S)
        assert answer.status_code == 200, answer.text
        return answer.content

    def restart(self, name: str, **env: str) -> None:
        """kill -9, and started again, with these changes to its environment."""
        self.members[name].kill(**env)

    def cleared(self, job: Job) -> None:
        """Until no host holds anything of the job any more."""
        eventually(lambda: not self.host_of(job), f"the hosts letting go of {job.id}")

    def close(self) -> None:
        for member in self.members.values():
            member.end()
        for emission in self.emissions:
            for attempt in (1, 2, 3):
                process.kill_all(lambda a=attempt, e=emission: process.marked(process.mark(e.job.id, a)))  # type: ignore[misc]
            self.kill_runner(emission.job)
        for name in self.hosts:
            self.kill_outpost(name)
        self.bench.close()
        self.redis.stop()
        self.postgres.stop()


def _pid_in(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def cluster(folder: Path, token: str, *hosts: str, slots: int = 0, **settings: Any) -> Iterator[Cluster]:
    """A cluster whose site answers; ended whatever happens.

    Args:
        slots: How many jobs the worker of each host runs at a time; 0 for no worker anywhere, the API alone.
    """
    with network("site", *hosts) as net:
        made = Cluster(folder, net, token, hosts, **settings)
        try:
            if slots:
                made.start_workers(slots)
            for port in API_PORTS.values():
                url = f"http://{net.hosts['site'].address}:{port}/health"
                eventually(lambda u=url: _answers(u), f"{url} answering")  # type: ignore[misc]
            yield made
        finally:
            made.close()


def _answers(url: str, credentials: dict[str, str] | None = None) -> bool:
    try:
        return httpx.get(url, headers=credentials, timeout=10).status_code < 500
    except httpx.HTTPError:
        return False
