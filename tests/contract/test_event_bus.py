"""What every event bus does, held against both: the one in memory and the one over a real Redis server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from isengard.events import Gap, GPUMetrics, InMemoryEventBus, JournalLine, RedisEventBus, TrainingProgressEvent
from isengard.events.bus import BusUnavailable, EventBus, LineGap, Received, Subscription
from isengard.events.models import TrainingStage
from standins.private_redis import RedisServer

JOB = "train-bus0"
CAPACITY = 200


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    if not RedisServer.is_installed():
        pytest.skip("redis-server is not installed")
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["memory", "redis"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[EventBus]:
    if request.param == "memory":
        made: EventBus = InMemoryEventBus(CAPACITY)
    else:
        server = request.getfixturevalue("redis_server")
        prefix = "{" + f"test-{id(request.node)}" + "}"  # one server for all tests: each has keys of its own
        made = RedisEventBus(server.url, capacity=CAPACITY, prefix=prefix)
    yield made
    await made.close()


def lines(first: int, last: int, job_id: str = JOB) -> list[JournalLine]:
    return [JournalLine(job_id, seq, b'{"seq":%d}' % seq) for seq in range(first, last + 1)]


def step(number: int, job_id: str = JOB) -> TrainingProgressEvent:
    return TrainingProgressEvent(job_id=job_id, stage=TrainingStage.TRAINING, step=number)


async def take(subscription: Subscription, count: int) -> list[Received]:
    async with asyncio.timeout(20):
        return [await anext(subscription) for _ in range(count)]


async def test_a_subscriber_gets_what_is_published_about_its_job_in_order(bus: EventBus) -> None:
    subscription = bus.subscribe(JOB)
    await subscription.ready()
    await bus.publish(step(1), step(1, "train-other"), step(2))
    await bus.publish(step(3))
    assert await take(subscription, 3) == [step(1), step(2), step(3)]


async def test_async_for_over_a_subscription_in_a_task_of_its_own(bus: EventBus) -> None:
    received: list[Received] = []
    subscription = bus.subscribe(JOB)
    await subscription.ready()

    async def collect() -> None:
        async for event in subscription:
            received.append(event)
            if len(received) == 2:
                break

    task = asyncio.create_task(collect())
    await bus.publish(step(1))
    await bus.publish(step(2))
    await asyncio.wait_for(task, 20)
    assert received == [step(1), step(2)]


async def test_every_field_of_an_event_arrives(bus: EventBus) -> None:
    event = TrainingProgressEvent(
        job_id=JOB,
        correlation_id="corr-1",
        status="running",
        stage=TrainingStage.SAMPLING,
        step=7,
        steps_total=9,
        loss=0.25,
        lr=1e-4,
        gpu=GPUMetrics(index=1, utilization_pct=97.5),
        message="a “message” with ü",
        sample_path="a.png",
        metrics={"grad_norm": 1.5},
        attempt=2,
    )
    subscription = bus.subscribe(JOB)
    await subscription.ready()
    await bus.publish(event)
    assert await take(subscription, 1) == [event]
    assert await bus.history(JOB) == [event]


async def test_history_is_the_newest_oldest_first(bus: EventBus) -> None:
    await bus.publish(*[step(number) for number in range(1, 11)])
    assert await bus.history(JOB) == [step(number) for number in range(1, 11)]
    assert await bus.history(JOB, limit=3) == [step(8), step(9), step(10)]
    assert await bus.history(JOB, limit=0) == []
    assert await bus.history("train-unknown") == []


async def test_history_holds_lines_and_events_in_the_order_of_their_publishing(bus: EventBus) -> None:
    mixed = [step(1), *lines(1, 2), step(2), step(3), *lines(3, 3)]
    await bus.publish(*mixed)
    assert await bus.history(JOB) == mixed


async def test_a_subscriber_to_all_gets_jobs_that_begin_later(bus: EventBus) -> None:
    await bus.publish(step(1, "train-early"))
    subscription = bus.subscribe()
    await subscription.ready()
    await bus.publish(step(1, "train-late"))
    await bus.publish(*lines(1, 2, "train-later"))
    await bus.publish(step(2, "train-early"))
    received = await take(subscription, 4)
    assert sorted(map(repr, received)) == sorted(
        map(repr, [step(1, "train-late"), *lines(1, 2, "train-later"), step(2, "train-early")])
    )


async def test_lines_come_from_behind_the_number_asked_for(bus: EventBus) -> None:
    await bus.publish(*lines(1, 5))
    subscription = bus.subscribe(JOB, after=3)
    await subscription.ready()
    await bus.publish(*lines(6, 7))
    assert await take(subscription, 4) == lines(4, 7)


async def test_a_subscriber_to_all_says_for_each_job_what_it_has(bus: EventBus) -> None:
    await bus.publish(*lines(1, 4, "train-a"), *lines(1, 2, "train-b"))
    have = {"train-a": 3}
    subscription = bus.subscribe(after=lambda job_id: have.get(job_id, 0))
    await subscription.ready()
    await bus.publish(*lines(1, 1, "train-c"))
    received = await take(subscription, 4)
    for job_id, first, last in (("train-a", 4, 4), ("train-b", 1, 2), ("train-c", 1, 1)):
        of_job = [each for each in received if each.job_id == job_id]
        assert of_job == lines(first, last, job_id)


async def test_publishing_a_line_again_changes_nothing(bus: EventBus) -> None:
    await bus.publish(*lines(1, 5))
    await bus.publish(*lines(3, 5))
    await bus.publish(*lines(4, 6))
    assert await bus.history(JOB) == lines(1, 6)
    assert await bus.newest(JOB) == 6


async def test_a_line_that_does_not_follow_is_refused_and_the_publisher_told_where_to_go_on(bus: EventBus) -> None:
    await bus.publish(*lines(1, 3))
    with pytest.raises(LineGap) as refusal:
        await bus.publish(*lines(5, 6))
    assert refusal.value.newest == 3
    assert await bus.newest(JOB) == 3


async def test_of_a_row_with_a_hole_what_comes_before_it_is_published(bus: EventBus) -> None:
    with pytest.raises(LineGap) as refusal:
        await bus.publish(*lines(1, 3), *lines(5, 6))
    assert refusal.value.newest == 3
    assert await bus.history(JOB) == lines(1, 3)


async def test_nothing_is_known_of_a_job_that_never_published(bus: EventBus) -> None:
    assert await bus.newest(JOB) == 0


async def test_a_slow_subscriber_is_told_where_to_read_on(bus: EventBus) -> None:
    subscription = bus.subscribe(JOB, after=0)
    await subscription.ready()
    await bus.publish(*lines(1, 2))
    assert await take(subscription, 2) == lines(1, 2)
    for first in range(3, 3003, 100):  # far more than the bus keeps
        await bus.publish(*lines(first, first + 99))
    gap, *rest = await take(subscription, 50)
    assert gap == Gap(JOB, after=2)
    first = rest[0]
    assert isinstance(first, JournalLine)
    assert first.seq > 3
    assert rest == lines(first.seq, first.seq + 48)


async def test_a_slow_subscriber_to_events_is_told_so(bus: EventBus) -> None:
    subscription = bus.subscribe(JOB)
    await subscription.ready()
    await bus.publish(step(1))
    assert await take(subscription, 1) == [step(1)]
    for first in range(2, 3002, 100):
        await bus.publish(*[step(number) for number in range(first, first + 100)])
    gap, event = await take(subscription, 2)
    assert isinstance(gap, Gap)
    assert isinstance(event, TrainingProgressEvent)
    assert event.step is not None
    assert event.step > 2


async def test_forgotten_lines_are_gone_but_still_count(bus: EventBus) -> None:
    await bus.publish(*lines(1, 10))
    await bus.forget(JOB, 6)
    assert await bus.history(JOB) == lines(7, 10)
    await bus.forget(JOB, 10)
    assert await bus.history(JOB) == []
    assert await bus.newest(JOB) == 10
    await bus.publish(*lines(11, 11))
    assert await bus.history(JOB) == lines(11, 11)


async def test_asking_for_forgotten_lines_begins_with_a_gap(bus: EventBus) -> None:
    await bus.publish(*lines(1, 10))
    await bus.forget(JOB, 6)
    subscription = bus.subscribe(JOB, after=2)
    assert await take(subscription, 3) == [Gap(JOB, after=2), *lines(7, 8)]


async def test_a_rewound_job_is_published_again_from_there(bus: EventBus) -> None:
    await bus.publish(*lines(1, 10))
    await bus.forget(JOB, 8)
    await bus.rewind(JOB, 4)
    assert await bus.newest(JOB) == 4
    with pytest.raises(LineGap) as refusal:
        await bus.publish(*lines(11, 11))
    assert refusal.value.newest == 4
    await bus.publish(*lines(5, 11))
    subscription = bus.subscribe(JOB, after=4)
    assert await take(subscription, 7) == lines(5, 11)


async def test_a_job_can_be_rewound_to_its_beginning(bus: EventBus) -> None:
    await bus.publish(*lines(1, 10))
    await bus.rewind(JOB, 0)
    assert await bus.newest(JOB) == 0
    await bus.publish(*lines(1, 2))
    assert await bus.history(JOB) == lines(1, 2)


async def test_closing_a_subscription_ends_its_loop(bus: EventBus) -> None:
    subscription = bus.subscribe(JOB)

    async def collect() -> list[Received]:
        return [event async for event in subscription]

    await subscription.ready()
    task = asyncio.create_task(collect())
    await bus.publish(step(1))
    await asyncio.sleep(0)
    await subscription.aclose()
    assert await asyncio.wait_for(task, 20) in ([], [step(1)])


async def test_two_subscribers_each_get_everything(bus: EventBus) -> None:
    first, second = bus.subscribe(JOB), bus.subscribe(JOB, after=0)
    await first.ready()
    await second.ready()
    await bus.publish(*lines(1, 50))
    assert await take(first, 50) == await take(second, 50) == lines(1, 50)


class TestRedisOutages:
    """What only a bus over a network can do: go away and come back."""

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[RedisServer]:
        if not RedisServer.is_installed():
            pytest.skip("redis-server is not installed")
        server = RedisServer(tmp_path, persistent=True)
        server.start()
        yield server
        server.stop()

    async def test_publishing_without_a_server_says_so(self, server: RedisServer) -> None:
        bus = RedisEventBus(server.url)
        server.kill()
        with pytest.raises(BusUnavailable):
            await bus.publish(*lines(1, 1))
        await bus.close()

    async def test_a_subscriber_outlives_a_restart_without_a_gap_or_a_repeat(self, server: RedisServer) -> None:
        bus = RedisEventBus(server.url)
        subscription = bus.subscribe(JOB, after=0)
        await bus.publish(*lines(1, 3))
        assert await take(subscription, 3) == lines(1, 3)
        waiting = asyncio.create_task(take(subscription, 2))
        server.kill()
        server.start()
        await bus.publish(*lines(4, 5))
        assert await waiting == lines(4, 5)
        await bus.close()

    async def test_after_redis_lost_its_memory_the_publisher_fills_it_and_the_subscriber_sees_each_line_once(
        self, server: RedisServer
    ) -> None:
        bus = RedisEventBus(server.url)
        subscription = bus.subscribe(JOB, after=0)
        await bus.publish(*lines(1, 5))
        assert await take(subscription, 5) == lines(1, 5)
        await bus._client.flushall()  # there is no public way to lose data
        with pytest.raises(LineGap) as refusal:
            await bus.publish(*lines(6, 7))
        await bus.publish(*lines(refusal.value.newest + 1, 7))
        assert await take(subscription, 2) == lines(6, 7)
        await bus.close()
