"""A real S3 server (moto's) in a process of its own on a free loopback port, ended by its process id."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx

PATIENCE_S = 120.0  # only how long a failure takes: a busy machine is not a failure


class S3Server:
    """An S3 server that keeps everything in memory: `kill` loses it, `pause` and `go_on` are an outage without loss."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "s3.log"
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.access_key, self.secret_key = secrets.token_hex(10), secrets.token_hex(20)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The credentials as programs expect them."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    def url(self, bucket: str, prefix: str = "team/a") -> str:
        return f"s3://{bucket}/{prefix}?endpoint={self.endpoint}"

    def start(self) -> None:
        program = "import sys; from moto.server import main; sys.exit(main(sys.argv[1:]))"
        argv = [sys.executable, "-W", "ignore", "-c", program, "-H", "127.0.0.1", "-p", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, **self.environment})
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, "the S3 server does not answer"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return httpx.get(self.endpoint, timeout=PATIENCE_S).status_code < 500
        except httpx.TransportError:
            return False

    def make_bucket(self, name: str) -> None:
        assert httpx.put(f"{self.endpoint}/{name}", timeout=PATIENCE_S).status_code == 200

    def unfinished_uploads(self, bucket: str) -> int:
        """How many multipart uploads were begun in `bucket` and are not over."""
        answer = httpx.get(f"{self.endpoint}/{bucket}?uploads", timeout=PATIENCE_S)
        return answer.text.count("<UploadId>")

    def parts_taken(self, key: str) -> list[int]:
        """Numbers of the parts of `key` that were sent and taken, in that order, by the server's own log."""
        taken = re.compile(rf'"PUT \S*/{re.escape(quote(key))}\?\S*partNumber=(\d+)\S* HTTP/\S+" 200')
        found = taken.finditer(self._log.read_text())
        return [int(each[1]) for each in found]

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def private_s3(folder: Path) -> Iterator[S3Server]:
    """A running S3 server."""
    server = S3Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
