"""The end of a journal after a crash or a power cut: whole lines stay, the rest is set aside, numbers go on."""

from __future__ import annotations

import errno
import random
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isengard.core.errors import StorageError
from isengard.core.paths import JobPaths
from isengard.events.models import EventName
from isengard.journal import JournalCursor, JournalReader, repair
from standins.journals import line, new_job, numbers_in, put, writer

TESTS = str(Path(__file__).parents[2])


@pytest.fixture
def paths(tmp_path: Path) -> JobPaths:
    return new_job(tmp_path)


def reopened(paths: JobPaths) -> int:
    """Open for writing, append one line, return its number."""
    with writer(paths) as journal:
        return journal.append(EventName.LOG, "after the crash")


def test_a_torn_last_line_is_set_aside_with_a_note_and_numbering_goes_on(paths: JobPaths) -> None:
    put(paths, [line(1), line(2)])
    size = paths.journal.stat().st_size
    torn = line(3)[:70]
    with paths.journal.open("ab") as file:
        file.write(torn)
    assert reopened(paths) == 3
    assert numbers_in(paths) == [1, 2, 3]
    note, rest = paths.torn.read_bytes().split(b"\n", 1)
    assert orjson.loads(note)["offset"] == size
    assert orjson.loads(note)["bytes"] == len(torn)
    assert rest == torn + b"\n"


def test_a_disk_that_refuses_costs_no_descriptor_and_leaves_nothing_half_set_aside(
    paths: JobPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(paths, [line(1)])
    with paths.journal.open("ab") as file:
        file.write(b'{"seq":2,')

    def refuse(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(repair, "sync_data", refuse)
        before = open_files()
        for _ in range(3):  # as a worker does for a dead runner, turn after turn
            with pytest.raises(StorageError, match="set aside"):
                writer(paths)
        assert open_files() == before
    assert paths.torn.read_bytes() == b""
    assert reopened(paths) == 2
    assert paths.torn.read_bytes().count(b'{"seq":2,') == 1


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_readers_of_lines_behind_a_hole_begin_anew_once_it_is_mended(paths: JobPaths) -> None:
    put(paths, [line(1), line(2)])
    with paths.journal.open("ab") as file:
        file.write(b"\0" * 40 + b"\n" + line(4) + b"\n")
    reader = JournalReader(paths)
    with JournalCursor(paths) as cursor:
        assert reader.last_seq() == len(cursor.read_new()) == 4
        with writer(paths) as journal:
            for number in range(3, 9):
                journal.append(EventName.LOG, f"number {number} " + "x" * 100)
        assert cursor.read_new() == []
        assert cursor.gone
    assert reader.lines() == paths.journal.read_bytes().splitlines()
    assert [entry.msg[:9] for entry in reader.page(events=[EventName.LOG]).entries][:2] == ["number 3 ", "number 4 "]


def test_a_second_torn_line_is_added_to_the_first(paths: JobPaths) -> None:
    put(paths, [line(1)])
    for torn in (b'{"seq":2,"ts":"20', b'{"seq":3,'):
        with paths.journal.open("ab") as file:
            file.write(torn)
        reopened(paths)
    kept = paths.torn.read_bytes()
    assert b'{"seq":2,"ts":"20\n' in kept
    assert b'{"seq":3,\n' in kept
    assert numbers_in(paths) == [1, 2, 3]


def test_a_whole_journal_is_left_as_it_is(paths: JobPaths) -> None:
    put(paths, [line(1), line(2)])
    before = paths.journal.read_bytes()
    writer(paths).close()
    assert paths.journal.read_bytes() == before
    assert not paths.torn.exists()


@pytest.mark.parametrize(
    "tail",
    [
        bytes(4096),
        bytes(37),
        b'{"seq":3,' + bytes(2000),
        bytes(512) + b'{"seq":4}\n',
        b"\xff\xfe garbage\n",
        b"\n",
        b"{}\n",
    ],
    ids=["zeros", "few zeros", "line with zeros", "zeros and a line behind", "garbage", "empty line", "no number"],
)
def test_what_a_power_cut_left_behind_the_last_whole_line_is_set_aside(paths: JobPaths, tail: bytes) -> None:
    put(paths, [line(1), line(2)])
    with paths.journal.open("ab") as file:
        file.write(tail)
    assert reopened(paths) == 3
    assert numbers_in(paths) == [1, 2, 3]
    assert tail in paths.torn.read_bytes()


def test_a_journal_that_is_nothing_but_zeros_begins_anew(paths: JobPaths) -> None:
    paths.journal.write_bytes(bytes(10_000))
    assert reopened(paths) == 1
    assert numbers_in(paths) == [1]
    assert bytes(10_000) in paths.torn.read_bytes()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_cut_anywhere_and_padded_with_zeros_a_journal_keeps_exactly_its_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """The states a power cut can leave: any prefix, followed by zero bytes where data was on its way."""
    paths = new_job(tmp_path_factory.mktemp("cut"))
    texts = data.draw(st.lists(st.text(max_size=30), min_size=1, max_size=6))
    put(paths, [line(number, "log", text) for number, text in enumerate(texts, 1)])
    full = paths.journal.read_bytes()
    cut = data.draw(st.integers(0, len(full)))
    zeros = data.draw(st.sampled_from([0, 0, 1, 511, 5000]))
    paths.journal.write_bytes(full[:cut] + bytes(zeros))
    whole = full[:cut].count(b"\n")
    assert JournalReader(paths).last_seq() == whole or zeros  # zeros hold no line feed
    assert reopened(paths) == whole + 1
    assert numbers_in(paths) == list(range(1, whole + 2))
    kept = paths.journal.read_bytes()
    assert full.startswith(kept[: kept.rfind(b"\n", 0, -1) + 1])


def test_everything_append_returned_for_survives_a_kill_at_any_moment(paths: JobPaths) -> None:
    """Kills a process that does nothing but write, again and again, and compares what it was told with the file."""
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from standins.journals import writer; from isengard.core.paths import JobPaths\n"
        "journal = writer(JobPaths(Path(sys.argv[1])))\n"
        "while True: print(journal.append('training.step', 'x' * 200, {'step': 1}), flush=True)"
    )
    told = 0
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(paths.root), TESTS], stdout=subprocess.PIPE, bufsize=0
        )
        assert process.stdout is not None
        lines = random.randint(1, 400)
        for _ in range(lines):
            told = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.communicate()[0].split()
        told = int(rest[-1]) if rest and rest[-1].isdigit() and len(rest) > 1 else told
        assert JournalReader(paths).last_seq() >= told
    last = reopened(paths)
    assert numbers_in(paths) == list(range(1, last + 1))
    assert last > told
