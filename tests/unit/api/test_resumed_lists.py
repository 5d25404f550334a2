"""Clients of the stream of all jobs that come and go, against what the board itself says of the jobs."""

from __future__ import annotations

import asyncio
import re
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isengard.api import live_jobs as live_jobs_module
from isengard.api.global_stream import JobsStream, parse_id
from isengard.api.live_jobs import LiveJobs
from isengard.api.subscribers import Subscriber, Subscribers
from isengard.core.errors import NotFound
from isengard.core.paths import DataDir
from isengard.jobs.models import Job, JobPage, JobStatus
from isengard.journal.readers import JournalReaders
from standins.journals import CORRELATION

FRAME = re.compile(rb"id: (\S+)\nevent: (\w+)\ndata: (.*)\n\n")
MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
STATUSES = {"run": JobStatus.RUNNING, "end": JobStatus.FAILED, "resume": JobStatus.QUEUED}
State = tuple[str, str, int]


@dataclass
class FakeStore:
    """Jobs in a dictionary."""

    jobs: dict[str, Job] = field(default_factory=dict)

    def list_jobs(self, **_filters: Any) -> JobPage:
        return JobPage([job for job in self.jobs.values() if not job.status.is_terminal])

    def get_job(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise NotFound("no such job")
        return self.jobs[job_id]

    def active(self) -> dict[str, State]:
        return {job.id: state_of(job) for job in self.jobs.values() if not job.status.is_terminal}


def state_of(job: Job) -> State:
    return job.id, job.status.value, job.priority


class Client:
    """Keeps the list that a page shows."""

    def __init__(self) -> None:
        self.last_id: str | None = None
        self.number = -1
        self.shown: dict[str, State] = {}

    def catch_up(self, board: LiveJobs) -> None:
        """Connect, take what there is, and go."""
        stream = JobsStream(SimpleNamespace(live_jobs=board), parse_id(self.last_id))  # type: ignore[arg-type]
        subscriber = Subscriber(None, lambda: True)
        self.take(stream._first(board, subscriber))
        if (update := board.after(subscriber.position)) is not None:
            self.take(update.frames)
            assert self.last_id == f"{board.run_id}-{update.number}"

    def take(self, frames: bytes) -> None:
        for last_id, event, data in FRAME.findall(frames):
            value, number = orjson.loads(data), int(last_id.rpartition(b"-")[2])
            if event == b"snapshot":
                self.shown = {each["id"]: shown(each) for each in value["jobs"]}
            elif event == b"removed":
                assert number > self.number
                self.shown.pop(value["id"], None)
            else:
                assert number > self.number, "a change that the client had"
                self.shown[value["id"]] = shown(value)
            self.last_id, self.number = last_id.decode(), number

    def active(self) -> dict[str, State]:
        return {key: each for key, each in self.shown.items() if not JobStatus(each[1]).is_terminal}


def shown(view: dict[str, Any]) -> State:
    return view["id"], view["status"], view["priority"]


class Scene:
    """Jobs that are made, change and go, and who watches them."""

    def __init__(self, root: Path) -> None:
        self.data, self.store = DataDir(root), FakeStore()
        self.data.prepare()
        readers, subscribers = JournalReaders(self.data), Subscribers(limit=9, heartbeat_s=15, stall_s=60)
        self.board = LiveJobs(self.data, self.store, readers, subscribers)  # type: ignore[arg-type]
        self.clients = [Client(), Client()]
        self.made = 0

    def make(self) -> None:
        self.made += 1
        job_id = f"train-{self.made:04d}"
        self.data.job(job_id).make()
        self.store.jobs[job_id] = Job(job_id, "char-1", "mock", {}, CORRELATION, MOMENT)

    def change(self, what: str, job: Job) -> None:
        if what == "delete" and job.status.is_terminal:
            shutil.rmtree(self.data.job(job.id).root)
            del self.store.jobs[job.id]
            self.board.gone(job.id)
        elif what in STATUSES and job.status.is_terminal == (what == "resume"):
            self.store.jobs[job.id] = replace(job, status=STATUSES[what])
        elif what == "raise" and not job.status.is_terminal:
            self.store.jobs[job.id] = replace(job, priority=job.priority + 1)

    async def settle(self) -> None:
        """Show what waits for its quarter of a second."""
        for _ in range(2):
            await self.board._scan()
            for tile in [each for each in self.board._tiles.values() if each.due is not None]:
                self.board._show(tile)


async def play(root: Path, script: list[tuple[str, int]]) -> None:
    scene = Scene(root)
    await scene.board.open()
    try:
        for what, number in script:
            known = list(scene.store.jobs.values())
            if what == "make":
                scene.make()
            elif what == "client":
                scene.clients[number % 2].catch_up(scene.board)
            elif what == "scan":
                await scene.board._scan()
            elif known:
                scene.change(what, known[number % len(known)])
        await scene.settle()
        for client in scene.clients:
            client.catch_up(scene.board)
            assert client.active() == scene.store.active()
            assert set(client.shown) <= set(scene.store.jobs)
    finally:
        await scene.board.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    script=st.lists(
        st.tuples(
            st.sampled_from(["make", "make", "run", "raise", "end", "resume", "delete", "scan", "scan", "client"]),
            st.integers(0, 9),
        ),
        max_size=40,
    )
)
def test_a_list_that_is_kept_by_its_changes_is_the_list_of_all_jobs_that_are_not_over(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, script: list[tuple[str, int]]
) -> None:
    monkeypatch.setattr(live_jobs_module, "ENDED_KEPT", 2)
    monkeypatch.setattr(live_jobs_module, "_SHARED_UPDATES", 2)
    asyncio.run(asyncio.wait_for(play(tmp_path_factory.mktemp("jobs"), script), 30))
