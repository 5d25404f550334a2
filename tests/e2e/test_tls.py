"""HTTPS from two files, tried with every kind of client: requests, streams, sockets, a browser, the command line."""

from __future__ import annotations

import os
import re
import secrets
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from websockets.sync.client import connect

from standins.api_server import sse_frames
from standins.certificates import certificate
from standins.site import chromium
from standins.workbench import PATIENCE_S, Workbench, eventually, workbench

_ADDRESS = re.compile(r"Isengard is at (https?://\S+)")


@dataclass
class Encrypted:
    """An `isengard up` that speaks HTTPS and asks for a token."""

    bench: Workbench
    url: str
    token: str
    cert: Path
    process: subprocess.Popen[bytes]

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.cert))

    def client(self, *, known: bool = True) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"} if known else {}
        return httpx.Client(base_url=self.url, verify=self.context(), headers=headers, timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = certificate(folder)
    token = secrets.token_urlsafe(24)
    with workbench(folder / "data") as bench:
        argv = [
            "--port",
            "0",
            "--data-dir",
            str(bench.settings.data_dir),
            "--tls-cert",
            str(cert),
            "--tls-key",
            str(key),
        ]
        with Started(folder / "said.txt", *argv, ISENGARD_TOKEN=token, ISENGARD_LEASE_S="5") as process:
            said = folder / "said.txt"
            found = eventually(lambda: _ADDRESS.search(said.read_text()), "the line with the URL")
            assert said.read_text().count("\n") == 1
            yield Encrypted(bench, found[1], token, cert, process)
            process.terminate()
            assert process.wait(PATIENCE_S) == 0


class Started:
    """`isengard up`; its children end with it, whatever happens."""

    def __init__(self, said: Path, *arguments: str, **environment: str) -> None:
        with said.open("wb") as file:
            argv = [sys.executable, "-m", "isengard", "up", *arguments]
            self.process = subprocess.Popen(argv, stdout=file, stderr=file, env={**os.environ, **environment})

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self.process

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def test_it_speaks_https_and_nothing_else(server: Encrypted) -> None:
    assert server.url.startswith("https://")
    with server.client(known=False) as client:
        answer = client.get("/health")
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        assert client.get("/login").status_code == 200
        assert client.get("/api/training").status_code == 401
    with pytest.raises(httpx.HTTPError):
        httpx.get(server.url.replace("https://", "http://") + "/health")
    with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
        httpx.get(server.url + "/health")
    old = server.context()
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url + "/health", verify=old)


def test_a_session_is_bound_to_https(server: Encrypted) -> None:
    host = server.url.removeprefix("https://")
    with server.client(known=False) as browser:
        entered = browser.post("/login", data={"token": server.token}, headers={"Origin": server.url})
        flags = entered.headers["set-cookie"].lower().split("; ")
        assert {"secure", "httponly", "samesite=strict", "path=/"} <= set(flags)
        assert browser.get("/api/whoami").json()["role"] == "operator"
        for foreign in (f"http://{host}", f"https://{host}0", "null"):
            assert browser.post("/logout", headers={"Origin": foreign}).status_code == 403
        left = browser.post("/logout", headers={"Origin": server.url})
        assert "secure" in left.headers["set-cookie"].lower()


def test_stream_and_socket_show_a_training_to_its_end(server: Encrypted) -> None:
    job = server.bench.submit(steps=12)
    with server.client() as client, client.stream("GET", f"/api/jobs/{job.id}/stream?from=start") as stream:
        frames = list(sse_frames(stream))
    assert frames[-1].event == "complete"
    numbers = [frame.seq for frame in frames]
    assert numbers == list(range(1, numbers[-1] + 1))
    address = f"{server.url.replace('https', 'wss')}/api/jobs/{job.id}/ws?from=start"
    known = {"Authorization": f"Bearer {server.token}"}
    with connect(address, ssl=server.context(), additional_headers=known, open_timeout=PATIENCE_S) as socket:
        assert len(list(socket)) == len(frames)


def test_a_browser_logs_in_and_sees_a_training_live(server: Encrypted) -> None:
    job = server.bench.submit(steps=100_000, step_time_s=0.02)
    with chromium() as browser:
        page = browser.new_context(ignore_https_errors=True).new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.set_default_timeout(1000 * PATIENCE_S)
        page.goto(f"{server.url}/jobs/{job.id}")
        page.get_by_label("Token").fill(server.token)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{server.url}/jobs/{job.id}")
        page.get_by_text(re.compile(r"step [1-9]", re.IGNORECASE)).first.wait_for()
        cookie = next(each for each in page.context.cookies() if each["name"] == "isengard_session")
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
        assert complaints == []


def test_an_api_that_died_is_started_again_with_the_same_certificate(server: Encrypted) -> None:
    children = psutil.Process(server.process.pid).children()
    next(each for each in children if each.cmdline()[3:5] == ["isengard", "api"]).kill()
    with server.client() as client:
        assert client.get("/api/training").status_code == 200


def test_the_command_line_needs_no_certificate(server: Encrypted) -> None:
    argv = [sys.executable, "-m", "isengard", "jobs", "--json", "--data-dir", str(server.bench.settings.data_dir)]
    assert subprocess.run(argv, capture_output=True, check=False, timeout=PATIENCE_S).returncode == 0


def refused(folder: Path, cert: Path | str, key: Path | str = "") -> str:
    """What a start that must fail says, on one line and with exit code 2."""
    argv = [sys.executable, "-m", "isengard", "up", "--port", "0", "--data-dir", str(folder / "data")]
    argv += ["--tls-cert", str(cert), *(("--tls-key", str(key)) if key else ())]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (2, "", 1), ended.stderr
    return ended.stderr


def test_a_pair_that_cannot_serve_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path / "own")
    _, other = certificate(tmp_path / "other")
    _, locked = certificate(tmp_path / "locked", password=secrets.token_hex(8))
    empty, unreadable = tmp_path / "empty.pem", tmp_path / "folder.pem"
    empty.touch()
    unreadable.mkdir()
    assert "do not belong together" in refused(tmp_path, cert, other)
    assert "ISENGARD_TLS_KEY go together" in refused(tmp_path, cert)
    assert "cannot be read: No such file" in refused(tmp_path, cert, "missing.pem")
    assert "cannot be read: Is a directory" in refused(tmp_path, unreadable, key)
    assert "in PEM" in refused(tmp_path, cert, empty)
    assert "in PEM" in refused(tmp_path, empty, key)
    assert "in PEM" in refused(tmp_path, key, cert)
    assert "has a password" in refused(tmp_path, cert, locked)


@pytest.mark.parametrize(("begins", "words"), [(-5.0, "has expired"), (1.0, "is not valid yet")])
def test_a_certificate_that_browsers_refuse_is_told_in_one_line(tmp_path: Path, begins: float, words: str) -> None:
    """And served: the queue goes on, and who trusts it by its fingerprint still may."""
    cert, key = certificate(tmp_path, begins_in_days=begins, lasts_days=3)
    said = tmp_path / "said.txt"
    argv = ["--port", "0", "--data-dir", str(tmp_path / "data"), "--tls-cert", str(cert), "--tls-key", str(key)]
    with Started(said, *argv) as process:
        eventually(lambda: _ADDRESS.search(said.read_text()), "the line with the URL")
        lines = said.read_text().splitlines()
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    assert len(lines) == 2
    assert f"isengard: {cert}: the certificate {words}" in lines[0]
