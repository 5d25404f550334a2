"""Cursors and followers: every whole line once and in order, live, from any process, without polling."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isengard.core.paths import JobPaths
from isengard.events.models import EventName
from isengard.journal import JournalCursor, JournalReader
from isengard.journal.follow import follow, follow_blocking
from isengard.journal.notify import BlockingWatch, Watch, watch
from standins.journals import line, new_job, put, until, writer

TESTS = str(Path(__file__).parents[2])
WRITE_ON_COMMAND = (
    "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
    "from standins.journals import writer; from isengard.core.paths import JobPaths\n"
    "with writer(JobPaths(Path(sys.argv[1]))) as journal:\n"
    "    for count in sys.stdin:\n"
    "        for _ in range(int(count)): journal.append('training.step', '', {'step': journal.last_seq + 1})\n"
)


@pytest.fixture
def paths(tmp_path: Path) -> JobPaths:
    return new_job(tmp_path)


def numbers(lines: list[bytes]) -> list[int]:
    return [orjson.loads(each)["seq"] for each in lines]


async def take(lines: AsyncIterator[list[bytes]], count: int) -> list[int]:
    """The numbers of the next `count` lines at least."""
    seen: list[int] = []
    async with asyncio.timeout(20):
        async for batch in lines:
            seen += numbers(batch)
            if len(seen) >= count:
                return seen
    return seen


class TestCursor:
    def test_it_gives_each_line_once_and_knows_where_it_stands(self, paths: JobPaths) -> None:
        put(paths, [line(1), line(2)])
        with JournalCursor(paths) as cursor:
            assert cursor.read_new() == [line(1), line(2)]
            assert cursor.position == 2
            assert cursor.read_new() == []
            with paths.journal.open("ab") as file:
                file.write(line(3) + b"\n")
            assert cursor.read_new() == [line(3)]
            assert cursor.position == 3

    def test_it_waits_for_the_end_of_a_line(self, paths: JobPaths) -> None:
        put(paths, [line(1)])
        with JournalCursor(paths, after=1) as cursor, paths.journal.open("ab", buffering=0) as file:
            file.write(line(2)[:30])
            assert cursor.read_new() == []
            file.write(line(2)[30:] + b"\n")
            assert cursor.read_new() == [line(2)]

    def test_a_torn_line_that_is_taken_back_is_never_given(self, paths: JobPaths) -> None:
        put(paths, [line(1)])
        size = paths.journal.stat().st_size
        with JournalCursor(paths, after=1) as cursor:
            with paths.journal.open("ab", buffering=0) as file:
                file.write(b'{"seq":2,"msg":"half')
                assert cursor.read_new() == []
                file.truncate(size)
                file.write(line(2) + b"\n")
            assert cursor.read_new() == [line(2)]
            assert not cursor.gone

    def test_lines_longer_than_a_piece_come_whole(self, paths: JobPaths) -> None:
        long = line(2, "log", "x" * 1_000_000)
        put(paths, [line(1), long, line(3)])
        with JournalCursor(paths) as cursor:
            seen: list[bytes] = []
            while lines := cursor.read_new(max_bytes=1024):
                seen += lines
        assert seen == [line(1), long, line(3)]

    def test_behind_a_number_that_does_not_exist_yet_it_passes_over_the_lines_up_to_it(self, paths: JobPaths) -> None:
        put(paths, [line(1), line(2)])
        with JournalCursor(paths, after=4) as cursor:
            assert cursor.read_new() == []
            with paths.journal.open("ab") as file:
                file.write(b"".join(line(seq) + b"\n" for seq in (3, 4, 5, 6)))
            assert numbers(cursor.read_new()) == [5, 6]
            assert cursor.position == 6

    def test_a_removed_journal_is_gone_once_its_last_lines_were_given(self, paths: JobPaths) -> None:
        put(paths, [line(1)])
        with JournalCursor(paths) as cursor:
            cursor.read_new(max_bytes=10)
            with paths.journal.open("ab") as file:
                file.write(line(2) + b"\n")
            paths.journal.unlink()
            assert numbers(cursor.read_new()) == [2]
            assert cursor.read_new() == []
            assert cursor.gone

    @pytest.mark.parametrize("spoil", [None, b"", b"X" * 5000], ids=["index", "no index", "spoilt index"])
    def test_it_finds_any_place_of_a_long_journal(self, paths: JobPaths, spoil: bytes | None) -> None:
        put(paths, [line(seq, "log", "x" * (seq % 50)) for seq in range(1, 6001)])
        JournalReader(paths).last_seq()
        until(paths.index.exists, "an index file")
        if spoil is not None:
            paths.index.write_bytes(spoil)
        for after in (0, 1, 255, 256, 3000, 5998, 5999, 6000):
            with JournalCursor(paths, after) as cursor:
                assert numbers(cursor.read_new(4096))[:1] == ([after + 1] if after < 6000 else [])

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_however_writes_and_reads_interleave_it_gives_all_lines_behind_its_place(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        paths = new_job(tmp_path_factory.mktemp("cursor"))
        texts = data.draw(st.lists(st.text(max_size=20), max_size=12))
        raw = b"".join(line(seq, "log", text) + b"\n" for seq, text in enumerate(texts, 1))
        after = data.draw(st.integers(0, 14))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
        seen: list[int] = []
        with JournalCursor(paths, after) as cursor:
            for begin, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
                if data.draw(st.booleans()) or begin != end:
                    with paths.journal.open("ab") as file:
                        file.write(raw[begin:end])
                if data.draw(st.booleans()):
                    seen += numbers(cursor.read_new(data.draw(st.integers(1, 400))))
            while lines := cursor.read_new():
                seen += numbers(lines)
        assert seen == list(range(after + 1, len(texts) + 1))


def watches() -> int:
    """Open descriptors of file watches in this process; what earlier tests left of others may be closed meanwhile."""
    links = []
    for place in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            links.append(os.readlink(place))
    return sum("inotify" in link for link in links)


class TestFollow:
    async def test_lines_come_as_another_process_writes_them(self, paths: JobPaths) -> None:
        process = subprocess.Popen(  # noqa: ASYNC220 - starting it is quick, and the loop has nothing else to do
            [sys.executable, "-c", WRITE_ON_COMMAND, str(paths.root), TESTS], stdin=subprocess.PIPE, bufsize=0
        )
        assert process.stdin is not None
        try:
            async with aclosing(follow(paths)) as lines:
                for count, last in ((1, 1), (3, 4), (2000, 2004)):
                    process.stdin.write(b"%d\n" % count)
                    assert await take(lines, count) == list(range(last - count + 1, last + 1))
        finally:
            process.stdin.close()
            process.wait()

    async def test_it_begins_behind_the_number_asked_for(self, paths: JobPaths) -> None:
        put(paths, [line(seq) for seq in range(1, 21)])
        async with aclosing(follow(paths, after=17)) as lines:
            assert await take(lines, 3) == [18, 19, 20]

    async def test_the_journal_and_even_its_folder_may_come_later(self, tmp_path: Path) -> None:
        paths = JobPaths(tmp_path / "logs" / "jobs" / "train-later")
        async with aclosing(follow(paths)) as lines:
            waiting = asyncio.create_task(take(lines, 2))
            await asyncio.sleep(0.02)
            for folder in (tmp_path / "logs", tmp_path / "logs" / "jobs", paths.root):
                folder.mkdir()
                await asyncio.sleep(0)
            put(paths, [line(1), line(2)])
            assert await waiting == [1, 2]

    async def test_it_ends_when_the_job_is_removed(self, paths: JobPaths) -> None:
        put(paths, [line(1)])
        lines = follow(paths)
        assert await take(lines, 1) == [1]
        ended = asyncio.create_task(take(lines, 1))
        await asyncio.sleep(0.02)
        shutil.rmtree(paths.root)
        assert await ended == []

    async def test_many_followers_share_one_descriptor_and_give_it_back(self, tmp_path: Path) -> None:
        before = watches()
        jobs = [new_job(tmp_path, f"train-{number}") for number in range(20)]
        followers = [follow(job) for job in jobs for _ in range(3)]
        tasks = [asyncio.create_task(take(each, 2)) for each in followers]
        await asyncio.sleep(0.05)
        assert watches() == before + 1
        for job in jobs:
            with writer(job) as journal:
                journal.append(EventName.LOG)
                journal.append(EventName.LOG)
        assert await asyncio.gather(*tasks) == [[1, 2]] * 60
        for each in followers:
            await each.aclose()
        assert watches() == before

    async def test_a_cancelled_follower_lets_go(self, paths: JobPaths) -> None:
        before = watches()
        task = asyncio.create_task(take(follow(paths), 1))
        await asyncio.sleep(0.02)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert watches() == before

    async def test_waiting_costs_no_processor_time(self, paths: JobPaths) -> None:
        put(paths, [line(1)])
        async with aclosing(follow(paths)) as lines:
            assert await take(lines, 1) == [1]
            waiting = asyncio.create_task(take(lines, 1))
            await asyncio.sleep(0)
            switches = voluntary_switches()
            await asyncio.sleep(0.3)
            assert voluntary_switches() - switches < 20  # a loop that looks every 10 ms would need 30
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await waiting

    def test_a_thread_follows_as_well(self, paths: JobPaths) -> None:
        seen: list[int] = []

        def read() -> None:
            for lines in follow_blocking(paths, after=1):
                seen.extend(numbers(lines))
                if seen[-1] == 300:
                    return

        thread = threading.Thread(target=read)
        thread.start()
        with writer(paths) as journal:
            for _ in range(300):
                journal.append(EventName.LOG)
        thread.join(20)
        assert seen == list(range(2, 301))

    def test_a_thread_may_look_elsewhere_when_nothing_comes(self, paths: JobPaths) -> None:
        put(paths, [line(1)])
        batches = follow_blocking(paths, idle_s=0.01)
        assert numbers(next(batches)) == [1]
        assert next(batches) == []
        batches.close()


def voluntary_switches() -> int:
    status = Path(f"/proc/self/task/{threading.get_native_id()}/status").read_text()
    return int(status.split("voluntary_ctxt_switches:")[1].split()[0])


def queue_length() -> int:
    return int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


class TestWatch:
    async def test_it_yields_at_once_and_after_each_change_in_a_folder(self, tmp_path: Path) -> None:
        changes = watch(tmp_path)
        await anext(changes)
        for name in ("a", "b"):
            (tmp_path / name).write_bytes(b"x")
            await asyncio.wait_for(anext(changes), 20)
        await changes.aclose()

    async def test_a_touched_file_wakes(self, tmp_path: Path) -> None:
        wake = tmp_path / "wake"
        wake.write_bytes(b"")
        async with Watch(wake) as changes:
            for touch in (wake.touch, lambda: wake.write_bytes(b""), lambda: os.replace(wake, tmp_path / "other")):
                touch()
                await asyncio.wait_for(changes.wait(), 20)

    async def test_another_file_in_the_folder_does_not_wake(self, tmp_path: Path) -> None:
        mine = tmp_path / "mine"
        mine.write_bytes(b"")
        async with Watch(mine) as changes:
            (tmp_path / "other").write_bytes(b"x")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(changes.wait(), 0.1)

    async def test_a_folder_that_is_removed_and_made_again_is_watched_again(self, tmp_path: Path) -> None:
        folder = tmp_path / "inbox"
        folder.mkdir()
        async with Watch(folder) as changes:
            folder.rmdir()
            await asyncio.wait_for(changes.wait(), 20)
            folder.mkdir()
            await asyncio.wait_for(changes.wait(), 20)
            (folder / "command").write_bytes(b"x")
            await asyncio.wait_for(changes.wait(), 20)

    def test_a_thread_waits_with_a_limit(self, tmp_path: Path) -> None:
        with BlockingWatch(tmp_path) as changes:
            assert not changes.wait(0.01)
            (tmp_path / "a").write_bytes(b"x")
            assert changes.wait(20)

    async def test_a_burst_that_overruns_the_kernels_queue_still_wakes(self, tmp_path: Path) -> None:
        limit = queue_length()
        if limit > 50_000:
            pytest.skip("the queue is too long to fill here")
        mine = tmp_path / "mine"
        async with Watch(mine) as changes:
            for number in range(limit // 2 + 10):  # no await: the loop cannot read meanwhile
                (tmp_path / f"{number}").touch()
            mine.touch()
            await asyncio.wait_for(changes.wait(), 20)
