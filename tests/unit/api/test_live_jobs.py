"""The board of all jobs when something under it fails for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from isengard.api import live_jobs as live_jobs_module
from isengard.api.live_jobs import LiveJobs
from isengard.api.subscribers import Subscriber, Subscribers
from isengard.core.errors import StorageError
from isengard.core.paths import DataDir, JobPaths
from isengard.jobs.models import Job, JobPage, JobStatus
from isengard.journal.follow import follow
from isengard.journal.readers import JournalReaders
from standins.journals import CORRELATION, JOB, line, put


def a_store() -> Any:
    job = Job(JOB, "char-1", "mock", {}, CORRELATION, datetime(2026, 1, 2, tzinfo=UTC), status=JobStatus.RUNNING)
    return SimpleNamespace(list_jobs=lambda **_filters: JobPage([job]), get_job=lambda _id: job)


def test_a_job_that_two_looks_at_the_store_find_at_once_is_followed_once(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    data.prepare()
    data.job(JOB).make()
    put(data.job(JOB), [line(1, "job.started", status="running")])

    async def scenario() -> int:
        board = LiveJobs(data, a_store(), JournalReaders(data), Subscribers(limit=9, heartbeat_s=15, stall_s=60))
        await board.open()  # while the folder of jobs is watched, which asks for a look of its own
        try:
            return [task.get_name() for task in asyncio.all_tasks()].count(f"jobs-{JOB}")
        finally:
            await board.close()

    assert asyncio.run(scenario()) == 1


@pytest.mark.parametrize("error", [StorageError("no watch left to give"), OSError(24, "Too many open files"), None])
def test_a_job_that_could_not_be_followed_is_followed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    data = DataDir(tmp_path)
    data.prepare()
    paths = data.job(JOB)
    paths.make()
    put(paths, [line(1, "job.started", status="running")])
    tries: list[int] = []

    async def troubled(paths: JobPaths, after: int = 0) -> AsyncIterator[list[bytes]]:
        tries.append(after)
        if len(tries) > 2:
            async for lines in follow(paths, after):
                yield lines
        elif error is not None:
            raise error

    monkeypatch.setattr(live_jobs_module, "follow", troubled)

    async def scenario() -> bytes:
        subscriber = Subscriber(None, lambda: True)
        board = LiveJobs(data, a_store(), JournalReaders(data), Subscribers(limit=9, heartbeat_s=15, stall_s=60))
        await board.open()
        try:
            put(paths, [line(1, "job.started", status="running"), line(2, step=17)])
            while b'"current_step":17' not in board.snapshot():
                await board.wait(subscriber)
            return board.snapshot()
        finally:
            await board.close()

    assert b'"current_step":17' in asyncio.run(asyncio.wait_for(scenario(), 20))
