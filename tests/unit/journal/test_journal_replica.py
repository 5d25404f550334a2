"""A copy of a journal written elsewhere: the same bytes, each line once, whatever the way did to them."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest

from isengard.core.errors import Conflict, StorageError
from isengard.core.paths import JobPaths
from isengard.journal import JournalCursor
from isengard.journal.replica import JournalReplica
from standins.journals import line, new_job, put


@pytest.fixture
def paths(tmp_path: Path) -> JobPaths:
    return new_job(tmp_path)


LINES = [line(seq, "log", f"number {seq}") for seq in range(1, 301)]


def test_repeated_and_overlapping_deliveries_make_an_exact_copy(paths: JobPaths, tmp_path: Path) -> None:
    position = 0
    while position < len(LINES):
        with JournalReplica(paths) as copy:  # the replicator may be restarted at any time
            for _ in range(5):
                begin = random.randint(max(0, position - 20), position)
                end = random.randint(begin, min(len(LINES), begin + 40))
                position += copy.take(LINES[begin:end])
                assert copy.last_seq == position
    origin = new_job(tmp_path, "train-0rigin")
    put(origin, LINES)
    assert paths.journal.read_bytes() == origin.journal.read_bytes()


def test_readers_see_no_line_go_again_that_a_full_disk_took_with_half_of_the_next(
    paths: JobPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    room = len(LINES[0]) + 20

    def full(fd: int, data: bytes) -> int:
        nonlocal room
        if room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real(fd, data[:room])
        room -= written
        seen.extend(cursor.read_new())
        return written

    seen: list[bytes] = []
    with JournalReplica(paths) as copy, JournalCursor(paths) as cursor:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(StorageError):
            copy.take(LINES[:2])
        monkeypatch.undo()
        assert copy.last_seq == 1
        assert copy.take(LINES[:3]) == 2
        assert seen + cursor.read_new() == LINES[:3]


def test_a_gap_is_refused_and_nothing_taken(paths: JobPaths) -> None:
    with JournalReplica(paths) as copy:
        copy.take(LINES[:3])
        with pytest.raises(Conflict, match=r"line 5 .* line 4"):
            copy.take(LINES[4:6])
        with pytest.raises(Conflict):
            copy.take([LINES[3], LINES[5]])
        assert copy.last_seq == 3
        assert copy.take(LINES[3:6]) == 3


def test_a_line_of_another_job_is_refused(paths: JobPaths) -> None:
    with JournalReplica(paths) as copy, pytest.raises(Conflict, match="belongs to job"):
        copy.take([LINES[0].replace(b"train-j0urna1", b"train-0ther")])


def test_what_is_no_single_line_is_refused(paths: JobPaths) -> None:
    """A host that does not keep to the rules could else shift the numbers of all lines behind it."""
    with JournalReplica(paths) as copy:
        with pytest.raises(Conflict, match="line feed"):
            copy.take([LINES[0].replace(b'"event"', b'\n"event"', 1)])
        assert copy.take(LINES[:2]) == 2


def test_a_line_torn_by_a_crash_is_set_aside_and_fetched_again(paths: JobPaths) -> None:
    put(paths, LINES[:10])
    with paths.journal.open("ab") as file:
        file.write(LINES[10][:40])
    with JournalReplica(paths) as copy:
        assert copy.last_seq == 10
        assert copy.take(LINES[:20]) == 10
    assert paths.torn.exists()
