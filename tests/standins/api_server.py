"""The real API in a process of its own on a free port, and a reader of its live streams."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from PIL import Image

from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.journal import JournalWriter

PATIENCE_S = 120.0  # only how long a failure takes: a busy machine is not a failure


@dataclass
class ApiServer:
    """A running API and the data folder it serves."""

    settings: Settings
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=PATIENCE_S, **options)

    def journal(self, job_id: str) -> JournalWriter:
        """The journal of a job, to write as its runner would."""
        paths = self.settings.paths.job(job_id)
        return JournalWriter.open(paths, service="runner", redactor=Redactor(), correlation_id="corr-of-runner")

    def service_log(self) -> list[dict[str, Any]]:
        path = self.settings.paths.service_logs("api") / "api.log"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def connections(self) -> int:
        """How many sockets the server holds with clients, in whatever state."""
        held = psutil.Process(self.process.pid).net_connections("tcp")
        return sum(each.status != psutil.CONN_LISTEN for each in held)

    def memory(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE_S)


@contextmanager
def api_server(
    data_dir: Path, *, port: int = 0, host: str = "127.0.0.1", open_files: int | None = None, **settings: Any
) -> Iterator[ApiServer]:
    """Start the API as `isengard up` does: with a socket that is bound already, so that its port is known.

    Args:
        open_files: How many files it may open, if not as many as this process.
    """
    listener = socket.create_server(("127.0.0.1", port))
    port = listener.getsockname()[1]
    variables = {f"ISENGARD_{name.upper()}": str(value) for name, value in settings.items()}
    argv = [sys.executable, "-m", "isengard", "api", "--host", host, "--port", str(port)]
    argv += ["--data-dir", str(data_dir), "--fd", str(listener.fileno())]
    if open_files is not None:
        argv = ["sh", "-c", f'ulimit -n {open_files}; exec "$@"', "sh", *argv]
    process = subprocess.Popen(argv, pass_fds=[listener.fileno()], env={**os.environ, **variables})
    listener.close()
    server = ApiServer(Settings(data_dir=data_dir, **settings), port, process)
    try:
        headers = {"Authorization": f"Bearer {settings['token']}"} if "token" in settings else {}
        httpx.get(f"{server.url}/health", timeout=PATIENCE_S, headers=headers)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE_S)


@dataclass(frozen=True)
class SseFrame:
    """One frame as a client sees it; `comment` for a line that is no frame."""

    id: str
    event: str
    data: Any
    comment: bool = False

    @property
    def seq(self) -> int:
        return int(self.id)


def sse_frames(response: httpx.Response) -> Iterator[SseFrame]:
    """The frames of a stream as they come, parsed by the rules of the HTML standard."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line == "":
            if "data" in fields:
                yield SseFrame(fields.get("id", ""), fields.get("event", "message"), json.loads(fields["data"]))
            fields = {}
        elif line.startswith(":"):
            yield SseFrame("", "", None, comment=True)
        else:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")


def png(width: int = 64, height: int = 48, color: tuple[int, int, int] = (200, 40, 90)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), color).save(buffer, "PNG")
    return buffer.getvalue()


def make_character(client: httpx.Client, images: int = 1) -> dict[str, Any]:
    character = client.post("/api/characters", json={"name": "Pip", "trigger_word": "pipbot"}).json()
    files = [("files", (f"pip_{number}.png", png(color=(number * 20, 80, 120)))) for number in range(images)]
    if files:
        assert client.post(f"/api/characters/{character['id']}/images", files=files).status_code == 201
    return dict(client.get(f"/api/characters/{character['id']}").json())
