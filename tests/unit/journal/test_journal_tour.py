"""Carriers of journals: what they see, what they remember, what a damaged or cut journal does to them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from isengard.core.paths import DataDir, JobPaths
from isengard.journal.lag import Lag
from isengard.journal.positions import Position, PositionFile
from isengard.journal.tour import Tour, Visit
from standins.journals import JOB, line, new_job, put


def numbers(visit: Visit, max_bytes: int = 1 << 20) -> list[int]:
    return [entry.seq for entry in visit.read(max_bytes)]


def test_a_carrier_goes_on_where_it_was_and_others_are_not_moved(tmp_path: Path) -> None:
    paths, data = new_job(tmp_path), DataDir(tmp_path)
    put(paths, [line(number) for number in range(1, 6)])
    (visit,) = Tour(data, "one").visits()
    assert numbers(visit) == [1, 2, 3, 4, 5]
    visit.advance(2, {"open": "stage"})
    assert numbers(visit) == [3, 4, 5]

    (again,) = Tour(data, "one").visits()  # another process
    assert (again.position.seq, again.position.state) == (2, {"open": "stage"})
    assert numbers(again) == [3, 4, 5]
    again.advance(3)
    assert again.position.state == {"open": "stage"}
    assert Tour(data, "one").visits() == []
    (other,) = Tour(data, "two").visits()
    assert numbers(other) == [1, 2, 3, 4, 5]


def test_what_was_read_and_not_confirmed_is_read_again(tmp_path: Path) -> None:
    put(new_job(tmp_path), [line(1), line(2)])
    for _ in range(2):
        (visit,) = Tour(DataDir(tmp_path), "one").visits()
        assert numbers(visit) == [1, 2]


def test_long_journals_are_read_in_pieces_without_gap_or_repeat(tmp_path: Path) -> None:
    put(new_job(tmp_path), [line(number, "log", "x" * 500) for number in range(1, 101)])
    (visit,) = Tour(DataDir(tmp_path), "one").visits()
    seen: list[int] = []
    while visit.has_news():
        piece = numbers(visit, 5_000)
        seen += piece
        visit.advance(len(piece))
    assert seen == list(range(1, 101))
    assert visit.position.offset == visit.paths.journal.stat().st_size


def test_a_torn_end_is_waited_for_and_a_damaged_line_passed_on_as_such(tmp_path: Path) -> None:
    paths = new_job(tmp_path)
    paths.journal.write_bytes(line(1) + b"\n{broken}\n" + line(3)[:20])
    (visit,) = Tour(DataDir(tmp_path), "one").visits()
    assert [(entry.seq, entry.event) for entry in visit.read()] == [(1, "training.step"), (2, "journal.damaged")]
    visit.advance(2)
    assert numbers(visit) == []
    paths.journal.write_bytes(line(1) + b"\n{broken}\n" + line(3) + b"\n")
    assert numbers(visit) == [3]


def carried(paths: JobPaths, count: int, clock: list[float]) -> Visit:
    """A carrier that has taken `count` lines, one every six seconds."""
    visit = Visit(paths, "one", lambda: clock[0])
    for _ in range(count):
        visit.read()
        visit.advance(1)
        clock[0] += 6
    return visit


def test_after_a_power_cut_no_line_is_left_out_that_took_the_place_of_a_carried_one(tmp_path: Path) -> None:
    paths, data = new_job(tmp_path), DataDir(tmp_path)
    put(paths, [line(number) for number in range(1, 9)])
    safe = carried(paths, 8, [0.0]).position.safe
    assert 3 <= safe <= 6
    # The cut cost the lines behind the safe one; others of the same length stand there, and more, when it is seen.
    others = [line(number, msg="other") for number in range(safe + 1, 12)]
    put(paths, [line(number) for number in range(1, safe + 1)] + others)
    (visit,) = Tour(data, "one").visits()
    assert numbers(visit) == list(range(safe + 1, 12))


def test_a_journal_that_a_power_cut_shortened_is_gone_back_in(tmp_path: Path) -> None:
    paths, data = new_job(tmp_path), DataDir(tmp_path)
    put(paths, [line(number) for number in range(1, 9)])
    safe = carried(paths, 8, [0.0]).position.safe
    put(paths, [line(number) for number in range(1, safe)])
    assert Tour(data, "one").visits() == []
    put(paths, [line(number) for number in range(1, safe + 2)])
    (visit,) = Tour(data, "one").visits()
    assert numbers(visit) == [safe, safe + 1]


def test_a_position_of_an_earlier_version_is_believed(tmp_path: Path) -> None:
    paths, data = new_job(tmp_path), DataDir(tmp_path)
    put(paths, [line(1), line(2)])
    paths.position("one").write_bytes(b'{"seq":1,"offset":%d,"over":false,"state":{}}' % (len(line(1)) + 1))
    (visit,) = Tour(data, "one").visits()
    assert numbers(visit) == [2]


def test_the_lag_of_a_carrier_is_seen_from_another_process(tmp_path: Path) -> None:
    paths, data = new_job(tmp_path), DataDir(tmp_path)
    put(paths, [line(1), line(2)])
    lag = Lag(data, "one")
    assert lag.bytes_behind() == paths.journal.stat().st_size
    (visit,) = Tour(data, "one").visits()
    visit.read()
    visit.advance(1)
    assert lag.bytes_behind() == len(line(2)) + 1
    visit.advance(1)
    assert lag.bytes_behind() == 0


def test_a_position_that_cannot_be_read_is_the_beginning(tmp_path: Path) -> None:
    paths = new_job(tmp_path)
    file = PositionFile(paths, "one")
    assert file.load() == Position()
    file.save(Position(3, 100))
    assert file.load() == Position(3, 100)
    paths.position("one").write_bytes(b'{"seq": "many"}')
    assert file.load() == Position()


def test_a_deleted_job_is_forgotten_and_leaves_no_position_behind(tmp_path: Path) -> None:
    paths, data = new_job(tmp_path), DataDir(tmp_path)
    put(paths, [line(1)])
    tour = Tour(data, "one")
    (visit,) = tour.visits()
    visit.read()
    paths.root.rename(tmp_path / "elsewhere")
    visit.advance(1)
    assert not paths.root.exists()
    assert tour.visits() == []


async def _next(tour: Tour, jobs: list[str]) -> None:
    """Wait for a round that finds news in exactly `jobs`, reading what there is."""
    async for _ in tour.rounds():
        found = tour.visits()
        for visit in found:
            visit.advance(len(visit.read()))
        if [visit.job_id for visit in found] == jobs:
            return


async def test_rounds_come_with_new_jobs_new_lines_and_resumptions(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    data.prepare()
    tour = Tour(data, "one")
    waiting = asyncio.create_task(_next(tour, [JOB]))
    await asyncio.sleep(0)
    paths = new_job(tmp_path)
    put(paths, [line(1)])
    await asyncio.wait_for(waiting, 120)

    waiting = asyncio.create_task(_next(tour, [JOB]))
    await asyncio.sleep(0)
    append(paths, line(2, "job.failed"))
    await asyncio.wait_for(waiting, 120)

    waiting = asyncio.create_task(_next(tour, [JOB]))
    await asyncio.sleep(0)
    append(paths, line(3, "job.resumed"))  # nobody watches a job that is over; whoever resumes it rings the bell
    data.wake.touch()
    await asyncio.wait_for(waiting, 120)


def append(paths: JobPaths, text: bytes) -> None:
    descriptor = os.open(paths.journal, os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, text + b"\n")
    os.close(descriptor)
