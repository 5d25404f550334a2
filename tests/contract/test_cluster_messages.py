"""Questions between site and hosts over a real Redis, where the one who answers is slow or asked twice."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from isengard.core.errors import Conflict
from isengard.events.redis_address import close, connect
from isengard.execution.cluster import job_package, runs
from isengard.execution.cluster.messages import SITE, Mailbox
from isengard.execution.cluster.sealing import Unsealer
from standins.jobs_and_characters import a_holder
from standins.private_redis import RedisServer
from standins.workbench import PATIENCE_S, workbench


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Any]:
    server = RedisServer(tmp_path)
    server.start()
    made = connect(server.url)
    yield made
    await close(made)
    server.stop()


async def test_a_question_that_nobody_took_is_taken_back(client: Any) -> None:
    mailbox = Mailbox(client)
    for _ in range(3):
        assert await mailbox.ask(SITE, "read", timeout_s=0.1) is None
    assert await mailbox.receive([SITE], 0.1) is None


async def test_a_question_that_was_taken_is_waited_for_beyond_its_time(client: Any) -> None:
    mailbox = Mailbox(client)
    asking = asyncio.create_task(mailbox.ask(SITE, "read", timeout_s=2))
    message = await mailbox.receive([SITE], PATIENCE_S)
    assert message is not None
    async with asyncio.timeout(PATIENCE_S):
        while "cmdstat_lrem" not in await client.info("commandstats"):  # noqa: ASYNC110 - its time is over
            await asyncio.sleep(0.02)
    await mailbox.answer(message, {"late": True})
    answer = await asking
    assert answer is not None
    assert answer.content == {"late": True}


def test_a_host_that_asks_again_for_a_job_gets_the_same_run_and_another_host_its_own(tmp_path: Path) -> None:
    with workbench(tmp_path / "data") as bench:
        job = bench.submit()
        assert bench.store.claim(bench.store.register_worker(a_holder(tmp_path / "host"))) is not None

        def pack(host: str, asked: str) -> str:
            return job_package.pack(bench.settings, bench.store, job.id, 1, host, asked).run.token

        first = pack("gpu1", "question-1")
        assert pack("gpu1", "question-1") == first
        later = pack("gpu2", "question-2")
        assert later != first
        counts = runs.read(bench.paths(job))
        assert counts is not None
        assert (counts.token, counts.host) == (later, "gpu2")
        with pytest.raises(Conflict, match="attempt 2 is not wanted"):
            job_package.pack(bench.settings, bench.store, job.id, 2, "gpu1", "question-3")


def test_a_jobs_secrets_are_sealed_for_the_host_that_asked_and_for_this_run(tmp_path: Path) -> None:
    value = secrets.token_urlsafe(24)
    with workbench(tmp_path / "data") as bench:
        job = bench.submit(secrets={"HUB_TOKEN": value})
        assert bench.store.claim(bench.store.register_worker(a_holder(tmp_path / "host"))) is not None
        packed = job_package.pack(bench.settings, bench.store, job.id, 1, "gpu1", "question-1")
        host, other = Unsealer(), Unsealer()
        sent = job_package.encode(packed, host.public)
        assert value not in repr(sent)
        assert job_package.decode(sent, host).secrets == {"HUB_TOKEN": value}
        assert job_package.encode(packed, host.public)["sealed"] != sent["sealed"]
        with pytest.raises(Conflict, match="not sealed for this host"):
            job_package.decode(sent, other)
        elsewhere = {**sent, "run": {**sent["run"], "token": "another"}}
        with pytest.raises(Conflict, match="not sealed for this host"):
            job_package.decode(elsewhere, host)
        for no_key in ("", "x", "AAAA"):
            with pytest.raises(Conflict, match="sent no key"):
                job_package.encode(packed, no_key)
