"""Fault 13 across a restart: the clock is set back an hour while API and worker are down and a training runs on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from faults.shims import compiled
from isengard.core.access.roles import Role
from isengard.core.access.tokens import TokenFile
from isengard.jobs.models import Job, JobStatus
from standins.api_server import ApiServer, SseFrame, api_server, sse_frames
from standins.workbench import PATIENCE_S, Workbench, eventually, workbench

LEASE_S = 1.0


class Clock:
    """The wall clock of every process that is started from now on."""

    def __init__(self, shim: Path, jump: Path) -> None:
        self.environment = {"LD_PRELOAD": str(shim), "FAULT_CLOCK": str(jump)}
        self._jump = jump
        self.set(0)

    def set(self, seconds: int) -> None:
        whole = self._jump.with_suffix(".new")
        whole.write_text(str(seconds))
        whole.replace(self._jump)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(compiled("clock", tmp_path), tmp_path / "jump")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path / "data", lease_s=LEASE_S, max_running_jobs=1) as made:
        yield made


def cookies_of(server: ApiServer, method: str, path: str, **form: str) -> dict[str, str]:
    """What a browser has after it opened a share link or logged in."""
    with server.client() as browser:
        browser.request(method, path, data=form)
        return dict(browser.cookies)


def status(server: ApiServer, path: str, cookies: dict[str, str]) -> int:
    with server.client(cookies=cookies) as browser:
        return browser.get(path).status_code


def read(client: httpx.Client, job_id: str, after: int, count: int) -> list[SseFrame]:
    """The first `count` frames of a stream behind a position, or all to its end with 0."""
    found: list[SseFrame] = []
    with client.stream("GET", f"/api/jobs/{job_id}/stream", headers={"Last-Event-ID": str(after)}) as stream:
        for frame in sse_frames(stream):
            found += [] if frame.comment else [frame]
            if len(found) == count:
                break
    return found


@dataclass
class Before:
    """What there was before the clock was set back; cookies by what became of them."""

    running: Job
    waiting: Job
    position: int
    link: dict[str, str]
    withdrawn_link: dict[str, str]
    session: dict[str, str]
    left_session: dict[str, str]


def begin(bench: Workbench, server: ApiServer, client: httpx.Client, token: str) -> Before:
    running, waiting = bench.submit(steps=100_000), bench.submit(steps=3)
    bench.wait_for_event(running, "training.step")
    share = f"/api/jobs/{running.id}/share"
    withdrawn_link = cookies_of(server, "GET", client.post(share).json()["url"])
    assert client.delete(share).status_code == 204
    link = cookies_of(server, "GET", client.post(share).json()["url"])
    session, left = (cookies_of(server, "POST", "/login", token=token) for _ in range(2))
    with server.client(cookies=left) as browser:
        browser.post("/logout")
    return Before(
        running, waiting, read(client, running.id, 0, 20)[-1].seq, link, withdrawn_link, session, left_session=left
    )


def check_access(server: ApiServer, client: httpx.Client, before: Before) -> None:
    logs, share = (f"/api/jobs/{before.running.id}/{part}" for part in ("logs", "share"))
    assert status(server, logs, before.withdrawn_link) == 401
    assert status(server, logs, before.link) == 200
    assert client.delete(share).status_code == 204
    assert status(server, logs, before.link) == 401, "it is from a later hour than its withdrawal"
    assert status(server, logs, cookies_of(server, "GET", client.post(share).json()["url"])) == 200
    assert status(server, "/api/whoami", before.session) == 200
    assert status(server, "/api/whoami", before.left_session) == 401


def check_queue(bench: Workbench, client: httpx.Client, before: Before) -> None:
    """First come, first served; and every page of the list once."""
    late = bench.submit(steps=3)  # by this process, whose clock was not set back,
    config = {"steps": 3, "resolution": 64}
    body = {"character_id": bench.character.id, "trainer": "mock", "config": config}
    latest = client.post("/api/training", json=body).json()["id"]  # and by the API, whose clock was
    wanted = [before.waiting.id, late.id, latest]
    assert [each["job_id"] for each in client.get("/api/queue").json()["waiting"]] == wanted
    listed: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get("/api/training", params={"limit": 1, **({"cursor": cursor} if cursor else {})}).json()
        listed += [job["id"] for job in page["jobs"]]
        cursor = page["cursor"]
    assert sorted(listed) == sorted([before.running.id, *wanted])
    assert client.post(f"/api/training/{before.running.id}/cancel").status_code == 200
    assert bench.finish(before.running).status is JobStatus.CANCELLED

    def jobs() -> list[dict[str, Any]]:
        return [client.get(f"/api/training/{job_id}").json() for job_id in wanted]

    eventually(lambda: all(job["status"] == "completed" for job in jobs()), "the end of all that waited")
    starts = [job["started_at"] for job in jobs()]
    assert starts == sorted(starts)


def test_fault_13_an_hour_back_across_a_restart_loses_no_line_no_lease_and_no_withdrawal(
    clock: Clock, bench: Workbench
) -> None:
    token = TokenFile(bench.settings.paths).create("boss", Role.OPERATOR)
    known = {"Authorization": f"Bearer {token}"}
    with api_server(bench.settings.data_dir) as server, server.client(headers=known) as client:
        worker = bench.start_worker()
        before = begin(bench, server, client, token)
        worker.terminate()
        assert worker.wait(PATIENCE_S) == 0
    clock.set(-3600)
    with api_server(bench.settings.data_dir) as server, server.client(headers=known) as client:
        bench.start_worker()
        bench.wait_for_event(before.running, "job.adopted")
        more = read(client, before.running.id, before.position, 20)
        check_access(server, client, before)
        check_queue(bench, client, before)
        rest = read(client, before.running.id, more[-1].seq, 0)
        lines = bench.entries(before.running)
        assert [frame.seq for frame in more + rest] == list(range(before.position + 1, lines[-1].seq + 1))
        assert rest[-1].event == "complete"
        assert any(later.ts < earlier.ts for earlier, later in itertools.pairwise(lines)), "the clock was not moved"
        for path in ("summary", "stages", "metrics", "trace", "logs/view?order=desc", "debug-bundle"):
            assert client.get(f"/api/jobs/{before.running.id}/{path}").status_code == 200, path
