"""Redis and PostgreSQL on an address of a test's own: killed with SIGKILL and started again on the same place."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from standins.private_postgres import BINARIES

PATIENCE_S = 120.0


class Service:
    """A server process."""

    def __init__(self, address: str) -> None:
        self.address = address
        with socket.socket() as probe:
            probe.bind((address, 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = self._start()
        self._wait()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _start(self) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self._process is not None
            assert self._process.poll() is None, f"{type(self).__name__} ended"
            assert time.monotonic() < deadline, f"{type(self).__name__} does not answer"
            time.sleep(0.02)


class Redis(Service):
    """Keeps nothing on disk: started again, it is an empty one."""

    @property
    def url(self) -> str:
        return f"redis://{self.address}:{self.port}/0"

    def _start(self) -> subprocess.Popen[bytes]:
        options = ["--save", "", "--protected-mode", "no", "--bind", self.address, "--port", str(self.port)]
        return subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.address, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


class Postgres(Service):
    """Keeps its data over a kill, and writes it through to the disk as in earnest."""

    def __init__(self, address: str, trusted: str) -> None:
        super().__init__(address)
        self._folder = Path(tempfile.mkdtemp(prefix="isengard-pg-"))
        owner = pwd.getpwnam("postgres")
        os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "-D", f"{self._folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        with (self._folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {trusted} trust\n")

    @property
    def url(self) -> str:
        return f"postgresql://postgres@{self.address}:{self.port}/postgres"

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL for the postmaster; its children see that and end, as they do after a crash."""
        super().kill()
        self._until(lambda: not self._children())
        (self._folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def _children(self) -> list[str]:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    cwd = os.readlink(entry / "cwd")
                    zombie = (entry / "stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
                except OSError:
                    continue
                if cwd.startswith(str(self._folder)) and not zombie:
                    found.append(entry.name)
        return found

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "PostgreSQL's processes do not end"
            time.sleep(0.05)

    def _start(self) -> subprocess.Popen[bytes]:
        options = ["-h", self.address, "-p", str(self.port), "-k", str(self._folder), "-c", "max_connections=300"]
        with (self._folder / "server.log").open("ab") as log:
            argv = [str(BINARIES / "postgres"), "-D", f"{self._folder}/data", *options]
            return subprocess.Popen(argv, stdout=log, stderr=log, user="postgres", cwd=self._folder)

    def _answers(self) -> bool:
        ready = [str(BINARIES / "pg_isready"), "-q", "-h", self.address, "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0

    def _run(self, *argv: str) -> None:
        done = subprocess.run(
            [str(BINARIES / argv[0]), *argv[1:]], user="postgres", cwd=self._folder, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
