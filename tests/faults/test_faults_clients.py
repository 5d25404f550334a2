"""Faults 21 to 23: a request sent fifty times with a kill in between, clients that never read, clients half gone."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from faults.site import Emission, Site, site
from isengard.jobs.models import JobStatus
from standins.workbench import PATIENCE_S, eventually

TCP_REPAIR = 19
CLIENTS = 1000
KEPT = 5 * 3 + 10
"""Descriptors of the database: pooled connections, each with file, log and shared memory, and the files of connections
beyond the pool, which SQLite keeps for the next one that is opened."""


def test_fault_21_one_idempotency_key_fifty_times_in_parallel_with_a_kill_makes_one_job(running: Site) -> None:
    bench = running.bench
    body = {"character_id": bench.character.id, "trainer": "mock", "config": {"steps": 2, "step_time_s": 0}}
    before = {job.id for job in bench.store.list_jobs(limit=500).jobs}
    first_answer = threading.Event()

    def submit(_: int) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError), httpx.Client(base_url=running.url, timeout=PATIENCE_S) as client:
                answer = client.post("/api/training", json=body, headers={"Idempotency-Key": "the-same"})
                if answer.status_code == 201:
                    first_answer.set()
                    return str(answer.json()["id"])
                assert answer.status_code in (429, 503), answer.text
        raise AssertionError("no answer")

    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(submit, number) for number in range(50)]
        time.sleep(random.uniform(0, 0.3))  # in the middle of the first of them, or before it
        running.kill_api()
        running.start_api()
        assert first_answer.wait(PATIENCE_S)
        running.kill_api()  # with most of them unanswered
        running.start_api()
        ids = {each.result() for each in asked}
    made = {job.id for job in bench.store.list_jobs(limit=500).jobs} - before
    bench.jobs += made
    assert made == ids
    assert len(ids) == 1
    running.kill_worker()
    running.start_worker()  # removes what a killed API had begun and nobody was told of
    folders = bench.settings.paths.jobs
    eventually(lambda: {path.name for path in folders.iterdir()} - before == ids, "the folder of this job alone")
    assert bench.finish(bench.store.get_job(ids.pop())).status is JobStatus.COMPLETED


def open_stream(
    running: Site, emission: Emission, receive_buffer: int = 0, come_from: str = "127.0.0.1"
) -> socket.socket:
    address = urlsplit(running.url)
    client = socket.socket()
    client.bind((come_from, 0))
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(PATIENCE_S)
    client.connect(("127.0.0.1", address.port))
    path = f"/api/jobs/{emission.job.id}/stream?from=start"
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
    return client


def test_fault_22_clients_that_never_read_cost_nobody_else_a_line(running: Site) -> None:
    """Their memory, and that they are cut off, is held in `tests/api/test_api_streams.py`."""
    emission = running.emit(count=6000, pause_s=0.0)
    silent = [open_stream(running, emission, 4096) for _ in range(20)]
    done, _ = running.conclude(emission)
    assert done.status is JobStatus.COMPLETED
    assert emission.acknowledged() == 6000
    for client in silent:
        client.close()


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
def test_fault_23_after_a_thousand_half_open_clients_the_descriptors_are_back_at_their_base(tmp_path: Path) -> None:
    """They vanish without a word, as a client does whose machine lost its power: no FIN, no RST."""
    with site(tmp_path, environment={"ISENGARD_STREAM_HEARTBEAT_S": "1"}) as running:
        emission = running.emit(count=100_000, pause_s=0.2)
        emission.wait_for(3)
        api = psutil.Process(running.api.pid)
        base = sockets_of(running.api.pid)
        others = api.num_fds() - base
        clients = [open_stream(running, emission) for _ in range(CLIENTS)]
        for client in clients:
            assert client.recv(15) == b"HTTP/1.1 200 OK"
        assert sockets_of(running.api.pid) >= base + CLIENTS
        assert httpx.get(f"{running.url}/health", timeout=PATIENCE_S).status_code == 200
        for client in clients:
            _vanish(client)
        eventually(lambda: sockets_of(running.api.pid) <= base, f"the sockets being {base} again")
        assert api.num_fds() - base <= others + KEPT, "something else than the database's pool was kept open"
        emission.enough()
        done, _ = running.conclude(emission)
        assert done.status is JobStatus.COMPLETED


def test_fault_23_clients_that_no_packet_reaches_any_more_are_given_up(tmp_path: Path) -> None:
    """As after a pulled cable: nobody answers, not even with a RST. It needs a network of its own to be cut."""
    script = Path(__file__).with_name("pulled_cable.py")
    argv = ["unshare", "--user", "--map-root-user", "--net", sys.executable, str(script), str(tmp_path)]
    told = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=3 * PATIENCE_S)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "given up: 20 of 20" in told.stdout


def sockets_of(pid: int) -> int:
    """How many descriptors of the process are sockets."""
    count = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            count += os.readlink(descriptor).startswith("socket:")
    return count


def _vanish(client: socket.socket) -> None:
    """Close without telling the peer: what the kernel lets a socket do that is being moved elsewhere."""
    try:
        client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    except PermissionError:
        pytest.skip("no right to let a connection vanish here")
    client.close()
