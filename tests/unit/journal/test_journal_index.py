"""The index: never believed over the journal, made again when missing or stale, and the same however it was made."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isengard.core.paths import JobPaths
from isengard.events.models import EventName, Level
from isengard.journal import JournalReader, index_writer
from isengard.journal.index_writer import scan_piece
from isengard.journal.records import RECORD, Records
from isengard.journal.scan import scan
from isengard.journal.scan_line import scan_line
from standins.journals import JOB, line, new_job, put, until, writer

MANY = 5000


@pytest.fixture
def paths(tmp_path: Path) -> JobPaths:
    return new_job(tmp_path)


def steps(first: int, last: int) -> list[bytes]:
    return [line(seq, step=seq, loss=1 / seq, attempt=1) for seq in range(first, last + 1)]


def leave_index(paths: JobPaths) -> None:
    """Have a reader leave an index file."""
    rows = JournalReader(paths).last_seq()
    until(lambda: paths.index.exists() and index_rows(paths) == rows, "an index file")


def index_rows(paths: JobPaths) -> int:
    return (paths.index.stat().st_size - 64) // RECORD.itemsize


def offers_are_over() -> bool:
    return all(thread.name != "journal-index" for thread in threading.enumerate())


def seqs(paths: JobPaths, **filters: Any) -> list[int]:
    return [entry.seq for entry in JournalReader(paths).page(limit=10**6, **filters).entries]


def test_the_writer_keeps_the_index_file_up_with_the_journal(paths: JobPaths) -> None:
    with writer(paths) as journal:
        for number in range(1, 1001):
            journal.append(EventName.TRAINING_STEP, "", {"step": number})
        until(lambda: paths.index.exists() and index_rows(paths) == 1000, "an index of all lines")
    assert index_rows(paths) == 1000


def test_a_short_journal_gets_no_index_file(paths: JobPaths) -> None:
    with writer(paths) as journal:
        journal.append(EventName.LOG)
    assert not paths.index.exists()


def test_a_new_writer_goes_on_with_the_index_file_and_catches_up(paths: JobPaths) -> None:
    put(paths, steps(1, 600))
    with writer(paths) as journal:
        journal.append(EventName.LOG)
    assert index_rows(paths) == 601
    with paths.journal.open("ab") as file:  # lines whose records a crash took along
        file.write(b"".join(each + b"\n" for each in steps(602, 700)))
    with paths.index.open("ab") as file:
        file.write(b"half a record")
    with writer(paths) as journal:
        journal.append(EventName.LOG)
    assert index_rows(paths) == 701
    assert JournalReader(paths).seq_at_step(699) == 699


def test_a_reader_of_a_long_journal_leaves_an_index_file_for_the_next(paths: JobPaths) -> None:
    put(paths, steps(1, MANY))
    leave_index(paths)
    assert seqs(paths, events=["training.step"]) == list(range(1, MANY + 1))
    files = {"events.jsonl", "events.idx", "writer.lock"}
    until(lambda: {path.name for path in paths.root.iterdir() if path.is_file()} == files, "nothing left over")


def test_a_reader_leaves_the_index_file_to_a_living_writer(paths: JobPaths) -> None:
    put(paths, steps(1, MANY))
    with writer(paths):
        assert JournalReader(paths).last_seq() == MANY
        until(offers_are_over, "the end of the offer")
        assert not paths.index.exists()


def test_a_folder_that_cannot_be_written_is_read_all_the_same(paths: JobPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    put(paths, steps(1, MANY))
    real = os.open

    def no_writing(path: Any, flags: int, *args: Any, **named: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, *args, **named)

    monkeypatch.setattr(os, "open", no_writing)  # the tests may run as root, whom no permission stops
    assert JournalReader(paths).last_seq() == MANY
    until(offers_are_over, "the end of the offer")
    assert not paths.index.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:40],
        lambda data: b"X" + data[1:],
        lambda data: data[:64] + bytes(len(data) - 64),
        lambda data: data[:64] + os.urandom(len(data) - 64),
        lambda data: data[:64] + data[64 + RECORD.itemsize :],
        lambda data: data + data[64:],
        lambda data: b"",
    ],
    ids=["cut in the header", "another magic", "zeros", "noise", "first record lost", "twice as long", "empty"],
)
def test_a_spoilt_index_file_changes_no_answer(paths: JobPaths, spoil: Any) -> None:
    put(paths, steps(1, MANY))
    leave_index(paths)
    paths.index.write_bytes(spoil(paths.index.read_bytes()))
    assert seqs(paths, levels=["INFO"]) == list(range(1, MANY + 1))
    assert JournalReader(paths).seq_at_step(4321) == 4321


def test_the_index_file_of_another_journal_is_not_believed(paths: JobPaths, tmp_path: Path) -> None:
    other = new_job(tmp_path, "train-0ther")
    put(other, [each.replace(JOB.encode(), b"train-0ther") for each in steps(1, MANY)])
    leave_index(other)
    put(paths, [line(1, "job.created"), *steps(2, MANY)])
    paths.index.write_bytes(other.index.read_bytes())
    assert seqs(paths, events=["job.created"]) == [1]


def test_an_index_file_that_is_ahead_of_a_journal_cut_by_a_power_cut_is_not_believed(paths: JobPaths) -> None:
    put(paths, steps(1, MANY))
    leave_index(paths)
    put(paths, [*steps(1, 4000), line(4001, "log", "written after the power cut")])
    assert seqs(paths, events=["log"]) == [4001]
    assert JournalReader(paths).last_seq() == 4001


def test_a_reader_sees_new_lines_and_never_half_of_one(paths: JobPaths) -> None:
    put(paths, steps(1, 10))
    reader = JournalReader(paths)
    assert reader.last_seq() == 10
    eleven = line(11, "log", "in two pieces") + b"\n"
    with paths.journal.open("ab", buffering=0) as file:
        file.write(eleven[:50])
        assert reader.last_seq() == 10
        assert reader.read(after=9)[-1].seq == 10
        file.write(eleven[50:])
    assert reader.read(after=10)[0].msg == "in two pieces"


def test_a_journal_that_was_replaced_is_read_anew(paths: JobPaths) -> None:
    put(paths, steps(1, 10))
    reader = JournalReader(paths)
    assert reader.page(levels=["INFO"]).total == 10
    paths.journal.unlink()
    assert reader.last_seq() == 0
    put(paths, [line(1, "log", "another", "ERROR")])
    assert reader.page(levels=["INFO"]).total == 0
    assert reader.page(levels=["ERROR"]).total == 1


def test_a_missing_journal_is_empty(paths: JobPaths) -> None:
    reader = JournalReader(paths)
    assert reader.last_seq() == 0
    assert reader.read() == []
    assert reader.page().entries == []
    assert reader.first_error() is None
    assert reader.seq_at_step(0) is None
    assert reader.seq_at_time("2026-01-01T00:00:00.000000Z") is None


def test_a_line_longer_than_any_piece_is_indexed(paths: JobPaths) -> None:
    put(paths, [line(1), line(2, "log", "x" * 3_000_000), line(3, "log", "after")])
    assert [entry.seq for entry in JournalReader(paths).page(events=["log"]).entries] == [2, 3]


# Lines as our writer makes them, and as nobody should: the quick way has to agree with the careful one on all of them.

levels = st.sampled_from([*Level, "NOTICE", "IRON", ""])
events = st.sampled_from([*EventName, "job.paused", "training.steps", "x" * 40, "", 'q"uote'])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ['","service":"', ',"fields":{', '{"seq":', "\\", "\n\r\t\x00"]
)
numbers = st.none() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, width=32) | st.booleans() | texts
fields = st.dictionaries(
    st.sampled_from(["step", "loss", "lr", "attempt", "service", "fields", "msg", "metrics"]) | texts,
    numbers | st.dictionaries(texts, numbers, max_size=2),
    max_size=5,
)
good_fields = st.fixed_dictionaries(
    {"step": st.integers(0, 2**31 - 1), "attempt": st.integers(1, 9)},
    optional={"loss": st.floats(allow_nan=False, allow_infinity=False) | st.none(), "lr": st.floats(0, 1)},
)


def dumps(value: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits
        import json

        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def cut_behind(paths: JobPaths, lines: int, more: int = 0) -> None:
    """What a power cut may leave: so many lines and bytes of the next, beside an index that knows more."""
    kept = b"".join(paths.journal.read_bytes().splitlines(keepends=True)[:lines])
    paths.journal.write_bytes(paths.journal.read_bytes()[: len(kept) + more])


@pytest.mark.parametrize("lost", [1, 2, 40])
def test_a_line_that_takes_the_number_of_a_lost_one_is_not_taken_for_it(paths: JobPaths, lost: int) -> None:
    put(paths, steps(1, MANY))
    leave_index(paths)
    cut_behind(paths, MANY - lost)
    with writer(paths) as journal:
        ended = journal.append(EventName.JOB_FAILED, "the runner is gone", {"error": "gone"}, level=Level.ERROR)
    assert ended == MANY - lost + 1
    assert seqs(paths, events=[EventName.JOB_FAILED]) == seqs(paths, levels=[Level.ERROR]) == [ended]


def test_a_journal_whose_last_line_is_torn_is_read_up_to_it(paths: JobPaths) -> None:
    put(paths, steps(1, MANY))
    leave_index(paths)
    cut_behind(paths, MANY - 1, 50)
    assert JournalReader(paths).last_seq() == MANY - 1


def test_a_first_line_of_more_than_a_megabyte_ends_neither_the_index_nor_the_writer(paths: JobPaths) -> None:
    put(paths, [line(1, "job.created", "x" * (index_writer.PIECE + 1)), *steps(2, 300)])
    writer(paths).close()
    assert index_rows(paths) == 300
    writer(paths).close()  # nobody holds it


def test_a_journal_that_is_cut_under_its_writer_ends_the_index_only(
    paths: JobPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter(range(20))

    def counted(*args: int) -> tuple[Records, int]:
        assert next(looks) < 10, "it would look for ever"
        return scan_piece(*args)

    put(paths, steps(1, 300))
    size = paths.journal.stat().st_size
    with paths.journal.open("r+b") as file:
        index = index_writer.IndexWriter(paths, file.fileno())
        index.catch_up(300, size)
        file.truncate(size - 1)
        monkeypatch.setattr(index_writer, "scan_piece", counted)
        index.catch_up(400, size + 9000)
        index.close()
    assert seqs(paths) == list(range(1, 300))


@st.composite
def journals(draw: st.DrawFn) -> tuple[int, list[bytes]]:
    """Lines with their numbers from `first` on; most as usual, a few not."""
    first = draw(st.sampled_from([1, 5, 95, 995, 99_990]))
    made: list[bytes] = []
    odd = draw(st.lists(st.tuples(st.integers(0, 79), st.integers(0, 5)), max_size=4))
    usual = draw(st.lists(st.tuples(levels, events, texts, good_fields | fields), min_size=1, max_size=80))
    repeat = draw(st.sampled_from([1, 1, 70]))
    for number, (level, event, text, some) in enumerate(usual * (repeat if len(usual) < 3 else 1)):
        seq = first + number
        value = {
            "seq": seq,
            "ts": "2026-01-02T03:04:05.678901Z",
            "level": level,
            "event": event,
            "msg": text,
            "service": "runner",
            "job_id": JOB,
            "correlation_id": "corr-1",
            "fields": some,
        }
        damage = dict(odd).get(number)
        if damage == 0:
            value = dict(reversed(value.items()))
        elif damage == 1:
            value["newer"] = [1, {"a": "b"}]
        elif damage == 2:
            value["ts"] = "2026"
        elif damage == 3:
            value["seq"] = seq + 1
        elif damage == 4:
            value["fields"] = {"fields": value["fields"]}
        made.append(b"garbage" if damage == 5 else dumps(value))
    return first, made


@settings(max_examples=150, deadline=None)
@given(journals())
def test_many_lines_at_once_give_the_records_that_each_line_gives(journal: tuple[int, list[bytes]]) -> None:
    first, lines = journal
    wanted: Records = np.zeros(len(lines), RECORD)
    offset = 7
    for number, each in enumerate(lines):
        wanted[number] = (offset, *scan_line(each, first + number))
        offset += len(each) + 1
    found = scan(b"".join(each + b"\n" for each in lines), first, 7)
    for name in RECORD.names or ():
        assert np.array_equal(found[name], wanted[name], equal_nan=name in ("loss", "lr")), name
