"""A Ray cluster of a test's own: a head and nodes, each in a namespace, with tokens and without a dashboard.

Ended by pid: `ray stop` would end every Ray on the machine.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from cluster.network import Host
from isengard.execution import process

_RAY = Path(sys.executable).with_name("ray")
_PORT = 6379
PATIENCE_S = 120.0


class SlowStart(Exception):
    """Ray gives a node thirty seconds to start, whatever else the machine does."""


class RayNode:
    """One node: raylet and what belongs to it, all below one process."""

    def __init__(self, running: subprocess.Popen[bytes], log: Path) -> None:
        self._running = running
        self.log = log

    @property
    def has_ended(self) -> bool:
        return self._running.poll() is not None

    def kill(self) -> None:
        """SIGKILL for everything of the node at once, the actors included: as a power cut would."""
        pids = [self._running.pid, *process.descendants(self._running.pid)]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._running.wait()

    def end(self) -> None:
        if self._running.poll() is None:
            self.kill()


class RayCluster:
    """A head, on which runs are placed as well, and nodes.

    Args:
        data_dir: The data folder of the head's runs.
    """

    def __init__(self, head: Host, folder: Path, data_dir: Path) -> None:
        self.head = head
        self.address = f"{head.address}:{_PORT}"
        self._temp = Path(tempfile.mkdtemp(prefix="ir-"))  # short: sockets lie below it
        self._folder = folder
        self.env = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",  # else every other process of the machine comes first
            "RAY_health_check_period_ms": "1000",
            "RAY_health_check_failure_threshold": "3",
        }
        self.nodes: dict[str, RayNode] = {}
        options = ("--head", f"--port={_PORT}", "--num-cpus=8", "--num-gpus=0", "--include-dashboard=false")
        self._start("head", head, {"ISENGARD_HOST_DATA_DIR": str(data_dir)}, *options, f"--temp-dir={self._temp}")

    def start(self, places: dict[str, tuple[Host, Path]]) -> None:
        """Start nodes on hosts, each with its data folder, all at the same time."""
        self._wait("head")
        for name, (host, data_dir) in places.items():
            options = (f"--address={self.address}", "--num-cpus=8", "--num-gpus=0", f"--labels=place={name}")
            self._start(name, host, {"ISENGARD_HOST_DATA_DIR": str(data_dir)}, *options)
        for name in places:
            self._wait(name)

    def _start(self, name: str, host: Host, env: dict[str, str], *options: str) -> None:
        log = self._folder / f"ray-{name}.log"
        shared = (f"--node-ip-address={host.address}", "--object-store-memory=100000000")
        with log.open("wb") as output:
            running = subprocess.Popen(
                host.command(str(_RAY), "start", "--block", *shared, *options),
                env={**os.environ, **self.env, **env},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.nodes[name] = RayNode(running, log)

    def _wait(self, name: str) -> None:
        node = self.nodes[name]
        deadline = time.monotonic() + PATIENCE_S
        while b"Ray runtime started" not in node.log.read_bytes():
            if node.has_ended and b"timed out during startup" in node.log.read_bytes():
                raise SlowStart(node.log.read_text())
            assert not node.has_ended, node.log.read_text()
            assert time.monotonic() < deadline, node.log.read_text()
            time.sleep(0.1)

    def lets_in(self, **env: str) -> bool:
        """Whether somebody on the head's host gets in with this in the environment instead of the token."""
        knock = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False); print(ray.nodes())"
        known = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        argv = self.head.command(sys.executable, "-c", knock, self.address)
        done = subprocess.run(argv, env={**known, **env}, capture_output=True, text=True, check=False)
        return done.returncode == 0

    def listening(self, host: Host) -> set[int]:
        """The ports on which anything listens on a host for others than itself."""
        found = subprocess.run(host.command("ss", "-Hltn"), capture_output=True, text=True, check=True).stdout
        places = [line.split()[3] for line in found.splitlines()]
        return {int(place.rpartition(":")[2]) for place in places if not place.startswith(("127.", "[::1]"))}

    def close(self) -> None:
        for node in reversed(list(self.nodes.values())):
            node.end()
        for pid in _processes_naming(str(self._temp)):  # of a node that ended by itself
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self._temp, ignore_errors=True)


def ray_cluster(head: Host, folder: Path, data_dir: Path, nodes: dict[str, tuple[Host, Path]]) -> RayCluster:
    """A cluster that is up; on a machine too busy for Ray's own patience it is tried again."""
    for _ in range(5):
        made = RayCluster(head, folder, data_dir)
        try:
            made.start(nodes)
        except BaseException as error:
            made.close()
            if not isinstance(error, SlowStart):
                raise
        else:
            return made
    raise AssertionError("Ray did not start within its own thirty seconds, five times")


def _processes_naming(path: str) -> list[int]:
    """The processes with `path`, which is unique to one cluster, on their command lines."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and path.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found
