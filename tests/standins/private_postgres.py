"""A real PostgreSQL of a test's own: fresh data, a Unix socket and a free loopback port, ended by its pid."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

BINARIES = Path("/usr/lib/postgresql/15/bin")
_OPTIONS = (
    "-h",
    "127.0.0.1",
    "-c",
    "fsync=off",
    "-c",
    "max_connections=200",
)  # what a crash of the machine would do is not tested


@dataclass
class PrivatePostgres:
    """A running server; `new_database()` makes one and gives its URL."""

    port: int
    folder: Path
    databases: int = field(default=0)

    @property
    def pid(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])

    def new_database(self) -> str:
        """An empty database; its URL."""
        self.databases += 1
        name = f"isengard_{self.databases}"
        self.execute(self._url("postgres"), f"CREATE DATABASE {name}")
        return self._url(name)

    def drop_database(self, url: str) -> None:
        self.execute(self._url("postgres"), f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def execute(self, url: str, statement: str) -> None:
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)

    def _url(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"


@contextmanager
def private_postgres() -> Iterator[PrivatePostgres]:
    """Start one, as the user postgres when run by root (PostgreSQL refuses to run as root), and end it."""
    folder = Path(tempfile.mkdtemp(prefix="isengard-pg-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        owner = pwd.getpwnam(user)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    try:
        _run(
            ["initdb", "-D", f"{folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"], user, folder
        )
        with open(folder / "server.log", "wb") as log:
            server = subprocess.Popen(
                [BINARIES / "postgres", "-D", f"{folder}/data", "-p", str(port), "-k", str(folder), *_OPTIONS],
                stdout=log,
                stderr=log,
                user=user,
                cwd=folder,
            )
        try:
            _wait(server, port, folder)
            yield PrivatePostgres(port, folder)
        finally:
            if server.poll() is None:
                server.send_signal(signal.SIGQUIT)  # "immediate": the data is thrown away anyhow
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(arguments: list[str], user: str | None, folder: Path) -> None:
    command = [str(BINARIES / arguments[0]), *arguments[1:]]
    done = subprocess.run(command, user=user, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def _wait(server: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + 60
    ready = [str(BINARIES / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(ready, check=False).returncode != 0:
        assert server.poll() is None, (folder / "server.log").read_text()
        assert time.monotonic() < deadline, "PostgreSQL did not come up"
