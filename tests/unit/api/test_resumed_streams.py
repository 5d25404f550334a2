"""Clients that come and go while a job is written, ends and is resumed, against the list of its lines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isengard.api import feed as feed_module
from isengard.api import ring as ring_module
from isengard.api.feed import JobFeed
from isengard.api.ring import Chunk, Ring
from isengard.api.stream import begin, pump
from isengard.api.subscribers import Subscriber, Subscribers
from isengard.core.paths import DataDir
from isengard.journal.readers import JournalReaders
from standins.journals import JOB, line

ENDS = ("job.completed", "job.failed", "job.cancelled")
NOWHERE: Any = SimpleNamespace(store=None)
"""What asks it for a job wants a snapshot, which nobody who names a position may be given."""


class Client:
    """A browser: remembers the last id it was sent, and comes back with it."""

    def __init__(self) -> None:
        self.position = 0
        self.frames: list[tuple[int, str, bool]] = []
        self.moved = asyncio.Event()
        self.subscriber: Subscriber | None = None
        self.task: asyncio.Task[None] | None = None

    async def send(self, chunk: Chunk) -> None:
        for each in chunk.frames:
            assert each.seq == self.position + 1, "a gap, or a line twice"
            self.position = each.seq
            self.frames.append((each.seq, each.kind, each.is_last))
        assert not any(each.is_last for each in chunk.frames[:-1])
        self.moved.set()
        await asyncio.sleep(0)  # a socket lets others run

    async def beat(self) -> None:
        """Nothing."""

    def connect(self, feed: JobFeed) -> None:
        if self.task is None or self.task.done():
            self.subscriber = Subscriber(None, lambda: True)
            self.task = asyncio.create_task(self._stream(feed, self.subscriber))

    async def _stream(self, feed: JobFeed, subscriber: Subscriber) -> None:
        opening = await begin(NOWHERE, feed, self.position)
        assert opening.snapshot is None
        subscriber.position = opening.position
        if not opening.is_over:
            await pump(feed, subscriber, self)

    async def disconnect(self) -> None:
        if self.task is not None and self.subscriber is not None:
            self.subscriber.leave()
            await self.task
            self.task = None

    async def read_up_to(self, feed: JobFeed, seq: int) -> None:
        while self.position < seq:
            self.moved.clear()
            self.connect(feed)
            assert self.task is not None
            moving = asyncio.create_task(self.moved.wait())
            await asyncio.wait([self.task, moving], return_when=asyncio.FIRST_COMPLETED)
            moving.cancel()


class Scene:
    """One job, its feed and its clients."""

    def __init__(self, root: Path) -> None:
        self.data = DataDir(root)
        self.paths = self.data.job(JOB)
        self.paths.make()
        self.events: list[str] = []
        self.clients = [Client() for _ in range(3)]
        self.write("job.created", 1)

    def write(self, event: str, count: int) -> None:
        if (event in ENDS and self.terminal()) or (event == "job.resumed" and not self.terminal()):
            event = "log"  # a straggler; nobody resumes what runs
        first = len(self.events) + 1
        self.events += [event] * count
        with self.paths.journal.open("ab") as file:
            file.write(b"".join(line(first + n, event, "x" * (n * 37 % 200)) + b"\n" for n in range(count)))

    def terminal(self) -> int:
        """Number of the line that ended the job, 0 while it goes on."""
        last = 0
        for seq, event in enumerate(self.events, 1):
            last = 0 if event == "job.resumed" else last or (seq if event in ENDS else 0)
        return last

    async def open(self) -> None:
        self.feed = JobFeed(JournalReaders(self.data).of(JOB), Subscribers(limit=9, heartbeat_s=15, stall_s=60))
        await self.feed.open()

    async def restart(self) -> None:
        await self.feed.close()
        for client in self.clients:
            await client.disconnect()
        await self.open()

    async def finish(self) -> None:
        """Everybody comes back until they have everything."""
        wanted = self.terminal() or len(self.events)
        for client in self.clients:
            await client.read_up_to(self.feed, wanted)
            if self.terminal():
                client.connect(self.feed)
                assert client.task is not None
                await client.task  # the server closes
            else:
                await client.disconnect()
            assert [seq for seq, _, _ in client.frames] == list(range(1, client.position + 1))
            assert client.position == wanted
            assert all(self.events[seq - 1] in ENDS for seq, _, is_last in client.frames if is_last)
        await self.feed.close()


actions = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(["log", "log", "training.step", "job.resumed", *ENDS[:2]]),
                  st.sampled_from([1, 1, 3, 30])),
        st.tuples(st.just("connect"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("disconnect"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("turns"), st.integers(1, 20), st.just(0)),
        st.tuples(st.just("taken"), st.just(0), st.just(0)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ),
    max_size=25,
)  # fmt: skip


async def play(root: Path, script: list[tuple[str, Any, int]]) -> None:
    scene = Scene(root)
    await scene.open()
    moves: dict[str, Callable[[Any], Awaitable[object]]] = {
        "disconnect": lambda number: scene.clients[number].disconnect(),
        "taken": lambda _: scene.feed.has(len(scene.events)),
        "restart": lambda _: scene.restart(),
    }
    for what, which, count in script:
        if what == "write":
            scene.write(which, 1 if which.startswith("job.") else count)
        elif what == "connect":
            scene.clients[which].connect(scene.feed)
        elif what == "turns":
            for _ in range(which):
                await asyncio.sleep(0)
        else:
            await moves[what](which)
    await scene.finish()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=actions)
def test_whoever_comes_back_with_the_last_id_is_shown_every_line_once(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, script: list[tuple[str, Any, int]]
) -> None:
    monkeypatch.setattr(feed_module, "Ring", partial(Ring, max_frames=8, max_bytes=4000))
    monkeypatch.setattr(feed_module, "CHUNK_BYTES", 900)
    monkeypatch.setattr(ring_module, "CHUNK_BYTES", 900)
    monkeypatch.setattr(ring_module, "CHUNK_FRAMES", 5)
    asyncio.run(asyncio.wait_for(play(tmp_path_factory.mktemp("job"), script), 30))
