"""The processes of the demo: each started on a free loopback port, waited for, and ended by its process id."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from isengard.execution import process

HOST = "127.0.0.1"
PATIENCE_S = 180.0


class Failed(Exception):
    """The demo cannot go on; the text says what did not work."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for `condition`; raises `Failed` naming `what`."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what} did not happen within {patience_s:.0f} s")
        time.sleep(0.1)


class Processes:
    """Everything that was started, ended in reverse order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, argv: list[str], env: Mapping[str, str] | None = None, user: str | None = None) -> Path:
        """Start a program in a session of its own; the path of its output."""
        log = self._folder / f"{name}.log"
        with log.open("ab") as output:
            self._running[name] = subprocess.Popen(
                argv,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=user,
                cwd=self._folder if user is None else "/",
            )
        return log

    def up(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait until a program is ready; raises `Failed` with its last words if it ends instead."""

        def settled() -> bool:
            if self._running[name].poll() is not None:
                words = (self._folder / f"{name}.log").read_text("utf-8", "replace").strip()[-600:]
                raise Failed(f"{name} ended: {words}")
            return ready()

        wait_until(settled, f"{name} being ready")

    def kill(self, name: str) -> None:
        """SIGKILL for a program and everything below it, as a power cut would."""
        running = self._running.pop(name)
        for pid in [running.pid, *process.descendants(running.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        running.wait()

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """Ask a program to end, then insist."""
        running = self._running.pop(name)
        below = process.descendants(running.pid)
        running.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            running.wait(20)
        for pid in [running.pid, *below]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        running.wait()

    def close(self) -> None:
        """End everything."""
        for name in reversed(list(self._running)):
            self.end(name)


def redis(processes: Processes, folder: Path) -> str:
    """Start Redis with a password and durable streams; its URL."""
    port, password = free_port(), secrets.token_hex(16)
    (folder / "redis").mkdir()
    config = folder / "redis" / "redis.conf"
    config.write_text(f"bind {HOST}\nport {port}\nrequirepass {password}\nappendonly yes\ndir {folder / 'redis'}\n")
    config.chmod(0o600)
    processes.start("redis", ["redis-server", str(config)])
    processes.up("redis", lambda: _answers(port))
    return f"redis://:{password}@{HOST}:{port}/0"


def postgres(processes: Processes, cleanup: list[Path]) -> str:
    """Start PostgreSQL on fresh data; its URL."""
    folder = Path(tempfile.mkdtemp(prefix="isengard-pg-"))
    cleanup.append(folder)
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    if user:
        owner = pwd.getpwnam(user)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    binaries = _postgres_binaries()
    port = free_port()
    arguments = ["-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    done = subprocess.run([binaries / "initdb", *arguments], user=user, cwd="/", capture_output=True, check=False)
    if done.returncode != 0:
        raise Failed(f"PostgreSQL cannot be set up: {done.stderr.decode()[-400:]}")
    options = ["-h", HOST, "-p", str(port), "-k", str(folder)]
    processes.start("postgres", [str(binaries / "postgres"), "-D", str(folder / "data"), *options], user=user)
    ready = [str(binaries / "pg_isready"), "-q", "-h", HOST, "-p", str(port)]
    processes.up("postgres", lambda: subprocess.run(ready, check=False).returncode == 0)
    return f"postgresql://postgres@{HOST}:{port}/postgres"


def s3(processes: Processes, bucket: str) -> tuple[str, dict[str, str]]:
    """Start an S3 server with a bucket; the address of the artifacts and the credentials."""
    port = free_port()
    keys = {"AWS_ACCESS_KEY_ID": secrets.token_hex(10), "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20)}
    program = "import sys; from moto.server import main; sys.exit(main(sys.argv[1:]))"
    argv = [sys.executable, "-W", "ignore", "-c", program, "-H", HOST, "-p", str(port)]
    processes.start("s3", argv, keys)
    processes.up("s3", lambda: _answers(port))
    httpx.put(f"http://{HOST}:{port}/{bucket}", timeout=30).raise_for_status()
    return f"s3://{bucket}?endpoint=http://{HOST}:{port}", keys


def ray_node(processes: Processes, name: str, env: Mapping[str, str], *options: str) -> None:
    """Start a node of a Ray cluster; it stays below one process that can be ended by its id."""
    ray = Path(sys.executable).with_name("ray")
    shared = [f"--node-ip-address={HOST}", "--num-gpus=0", "--object-store-memory=100000000"]
    log = processes.start(name, [str(ray), "start", "--block", *shared, *options], env)
    processes.up(name, lambda: b"Ray runtime started" in log.read_bytes())


def clear(folders: list[Path]) -> None:
    """Remove what lies outside of the demo's folder."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _postgres_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    if on_path is None:
        raise Failed("PostgreSQL is not installed; see scripts/system_packages.sh")
    return Path(on_path).parent


def _answers(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True
