"""Feeds and their clients where they meet at an awkward moment."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from isengard.api import feed as feed_module
from isengard.api.feed import Feeds, JobFeed
from isengard.api.stream import begin
from isengard.api.subscribers import Subscriber, Subscribers
from isengard.core.paths import DataDir, JobPaths
from isengard.journal.readers import JournalReaders
from standins.journals import JOB, line, put


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    data = DataDir(tmp_path)
    data.job(JOB).make()
    return data


def subscribers() -> Subscribers:
    return Subscribers(limit=10, heartbeat_s=15, stall_s=60)


def add(paths: JobPaths, lines: list[bytes]) -> None:
    with paths.journal.open("ab") as file:
        file.write(b"".join(each + b"\n" for each in lines))


def test_a_feed_whose_only_client_left_while_it_opened_follows_nothing(data: DataDir) -> None:
    async def scenario() -> list[str]:
        feeds = Feeds(JournalReaders(data), subscribers())

        async def watch() -> None:
            async with feeds.watch(JOB):
                await asyncio.Event().wait()

        client = asyncio.create_task(watch())
        await asyncio.sleep(0)  # it has asked for the feed
        opening = [task for task in asyncio.all_tasks() if task.get_name() == f"open-{JOB}"]
        client.cancel()
        await asyncio.wait([client, *opening])
        return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("feed-")]

    put(data.job(JOB), [line(1)])
    assert asyncio.run(scenario()) == []


@pytest.mark.parametrize(("after", "ends", "position"), [(2, False, 2), (3, False, 3), (4, True, 4)])
def test_a_client_that_is_ahead_of_the_feed_is_shown_nothing_twice(
    data: DataDir, after: int, ends: bool, position: int
) -> None:
    """It has read on in another process, or in the log view, which looks at the file itself."""
    paths = data.job(JOB)

    async def scenario() -> Any:
        feed = JobFeed(JournalReaders(data).of(JOB), subscribers())
        await feed.open()
        try:
            add(paths, [line(3), line(4, "job.completed")])  # which the feed has not had a turn to read
            assert feed.position == 2
            return await begin(SimpleNamespace(store=None), feed, after)  # type: ignore[arg-type]
        finally:
            await feed.close()

    put(paths, [line(1), line(2)])
    opening = asyncio.run(scenario())
    assert (opening.position, opening.snapshot, opening.is_over) == (position, None, ends)


def test_a_client_that_waits_for_a_feed_that_ends_waits_no_longer(
    data: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> bool:
        feed = JobFeed(JournalReaders(data).of(JOB), subscribers())
        await feed.open()
        add(data.job(JOB), [line(2)])
        asking = asyncio.create_task(feed.has(2))
        await asyncio.sleep(0)
        await feed.close()
        return await asking

    async def never(*_args: Any, **_more: Any) -> Any:
        await asyncio.Event().wait()
        yield []

    put(data.job(JOB), [line(1)])
    monkeypatch.setattr(feed_module, "follow", never)
    assert asyncio.run(scenario()) is False


def test_who_is_gone_does_not_wait() -> None:
    async def scenario() -> bool:
        subscriber = Subscriber(None, lambda: True)
        subscriber.leave()  # as while a piece of the file is read for it
        return await subscriber.wait()

    assert asyncio.run(scenario()) is False
