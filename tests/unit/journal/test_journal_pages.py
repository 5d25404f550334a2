"""Pages, searches and jumps, held against a plain reading of the same lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isengard.core.errors import NotFound
from isengard.core.paths import DataDir, JobPaths
from isengard.events.models import EventName, Level
from isengard.journal import Entry, JournalReader
from isengard.journal.readers import JournalReaders
from standins.journals import line, new_job, put, writer


@pytest.fixture
def paths(tmp_path: Path) -> JobPaths:
    return new_job(tmp_path)


def texts_in(value: Any) -> str:
    """Keys and values as they read, each by itself."""
    if isinstance(value, dict):
        return "\x01".join(f"{key}\x01{texts_in(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "\x01".join(map(texts_in, value))
    return str(value)


def contains(entry: dict[str, Any], text: str) -> bool:
    """The plain meaning of a search, for texts without JSON's own signs."""
    return any(text.lower() in part.lower() for part in (entry["event"], entry["msg"], texts_in(entry["fields"])))


words = st.sampled_from(
    ["Step", "üBER", "“q”", 'say "no"', "back\\slash", "new\nline", "out of MEMORY", "naïve", "ß", "1e-4"]
)
entries = st.lists(
    st.tuples(
        st.sampled_from([*Level, "NOTICE"]),
        st.sampled_from([EventName.TRAINING_STEP, EventName.LOG, EventName.JOB_STAGE, "job.paused"]),
        st.lists(words, max_size=3).map(" ".join),
        st.dictionaries(words, words, max_size=2),
    ),
    max_size=90,
)
searches = st.sampled_from(
    ["", "step", "STEP", "über", "ÜBER", "“", '"', 'say "NO"', "\\", "k\\s", "\n", "w\nl", "memory", "naÏve", "nothing",
     "runner", "train", "corr", "msg", "event", "seq", "2026", "n", "e", "ß"]
)  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=entries,
    levels=st.sets(st.sampled_from([*Level, "NOTICE"]), max_size=2),
    events=st.sets(st.sampled_from([EventName.TRAINING_STEP, EventName.LOG, "job.paused", "never"]), max_size=2),
    search=searches,
    limit=st.integers(1, 20),
    offset=st.integers(0, 30),
    order=st.sampled_from(["asc", "desc"]),
    known=st.integers(0, 90),
)
def test_a_page_is_what_filtering_all_lines_and_then_cutting_gives(  # noqa: PLR0917 - drawn by name
    tmp_path_factory: pytest.TempPathFactory,
    made: list[tuple[str, str, str, dict[str, str]]],
    levels: set[str],
    events: set[str],
    search: str,
    limit: int,
    offset: int,
    order: Any,
    known: int,
) -> None:
    paths = new_job(tmp_path_factory.mktemp("pages"))
    lines = [line(seq, event, msg, level, **fields) for seq, (level, event, msg, fields) in enumerate(made, 1)]
    reader = JournalReader(paths)
    put(paths, lines[:known])
    reader.page(levels, events, search)  # an answer that has to grow
    with paths.journal.open("ab") as file:
        file.write(b"".join(each + b"\n" for each in lines[known:]))
    passing = [
        entry
        for entry in map(orjson.loads, lines)
        if (not levels or entry["level"] in levels)
        and (not events or entry["event"] in events)
        and contains(entry, search)
    ]
    if order == "desc":
        passing.reverse()
    page = reader.page(levels, events, search, limit, offset, order)
    assert [entry.seq for entry in page.entries] == [entry["seq"] for entry in passing[offset : offset + limit]]
    assert page.total == len(passing)
    assert page.has_more == (offset + limit < len(passing))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cuda OUT of", [1]),
        ('"quoted"', [2]),
        ("ü", [3]),
        ("Ü", [3]),
        ("→", [3]),
        ("C:\\temp", [4]),
        ("temp\\n", [4]),
        ("temp\n", []),
        ("line\nbreak", [5]),
        ("nbreak", []),
        ("grad_norm", [6]),
        ("0.125", [6]),
        ("subprocess.stderr", [1]),
        ("runner", []),
        ("train-j0urna1", []),
        ("correlation", []),
        ("03:00", []),
        ("ERROR", []),
        ("\ud800", []),
    ],
)
def test_a_search_looks_at_event_message_and_fields_as_they_read(paths: JobPaths, text: str, found: list[int]) -> None:
    put(
        paths,
        [
            line(1, "subprocess.stderr", "CUDA out of memory", "ERROR"),
            line(2, "log", 'she "quoted" it'),
            line(3, "log", "Grüße → alle"),
            line(4, "log", "C:\\temp\\new"),
            line(5, "log", "line\nbreak"),
            line(6, "training.step", metrics={"grad_norm": 0.125}),
        ],
    )
    assert [entry.seq for entry in JournalReader(paths).page(search=text).entries] == found


def test_a_search_over_many_pieces_finds_each_line_once(paths: JobPaths) -> None:
    put(
        paths,
        [line(seq, "log", f"needle {'x' * 3000} NEEDLE" if seq % 7 == 0 else "y" * 3000) for seq in range(1, 701)],
    )
    page = JournalReader(paths).page(search="needle", limit=1000)
    assert [entry.seq for entry in page.entries] == list(range(7, 701, 7))


def test_a_search_that_several_threads_share_finds_each_line_once_in_order(paths: JobPaths) -> None:
    """Forty megabytes: a stretch for each of two threads, several pieces in each."""
    filler, rows = "x" * 4000, 10_000
    wanted = [1, 2, 2500, 4999, 5000, 5001, 7777, rows]
    put(paths, (line(seq, msg=f"{filler} Needle" if seq in wanted else filler) for seq in range(1, rows + 1)))
    page = JournalReader(paths).page(search="needle", limit=1000)
    assert ([entry.seq for entry in page.entries], page.total) == (wanted, len(wanted))


def test_a_line_with_its_keys_in_another_order_is_searched_too(paths: JobPaths) -> None:
    odd = orjson.dumps({"fields": {"a": "deep down"}, "seq": 2, "event": "log", "level": "INFO", "msg": "m", "ts": ""})
    put(paths, [line(1), odd, line(3)])
    assert [entry.seq for entry in JournalReader(paths).page(search="deep").entries] == [2]


def test_a_damaged_line_is_shown_as_an_error_and_stops_nobody(paths: JobPaths) -> None:
    put(paths, [line(1), b'{"seq":2,"ts"', line(3)])
    page = JournalReader(paths).page()
    assert [entry.seq for entry in page.entries] == [1, 2, 3]
    assert page.entries[1].level == "ERROR"
    assert [entry.seq for entry in JournalReader(paths).page(levels=["ERROR"]).entries] == [2]


def test_lines_of_a_newer_version_are_read(paths: JobPaths) -> None:
    newer = orjson.loads(line(2, "job.paused", level="NOTICE", new_field=[1, 2])) | {"shard": {"of": 3}}
    put(paths, [line(1), orjson.dumps(newer), line(3)])
    reader = JournalReader(paths)
    assert [entry.seq for entry in reader.page(events=["job.paused"]).entries] == [2]
    assert [entry.seq for entry in reader.page(levels=["NOTICE"]).entries] == [2]
    assert Entry.parse(orjson.dumps(newer)).fields["new_field"] == [1, 2]


def test_reading_goes_on_behind_a_number_and_stops_at_the_limit(paths: JobPaths) -> None:
    put(paths, [line(seq) for seq in range(1, 31)])
    reader = JournalReader(paths)
    assert [entry.seq for entry in reader.read(after=28)] == [29, 30]
    assert [entry.seq for entry in reader.read(after=3, limit=2)] == [4, 5]
    assert reader.read(after=30) == []
    assert reader.read(after=1000) == []
    assert reader.lines(after=29) == [line(30)]


def test_the_offset_of_a_line_under_filters_is_where_its_page_begins(paths: JobPaths) -> None:
    put(paths, [line(seq, "log" if seq % 3 else "job.stage", f"m{seq}") for seq in range(1, 100)])
    reader = JournalReader(paths)
    for seq in (1, 3, 50, 51, 99):
        for filters in ({}, {"events": ["job.stage"]}, {"search": "m5"}):
            offset = reader.offset_of(seq, **filters)
            entries = reader.page(offset=offset, limit=1, **filters).entries
            wanted = [each.seq for each in reader.page(limit=1000, **filters).entries if each.seq >= seq]
            assert [each.seq for each in entries] == wanted[:1]


def test_the_first_error_is_that_of_the_latest_attempt(paths: JobPaths) -> None:
    put(
        paths,
        [
            line(1, "log", "early", "ERROR"),
            line(2, "job.failed", "", "ERROR"),
            line(3, "job.resumed", attempt=2),
            line(4, "log"),
            line(5, "log", "late", "ERROR"),
            line(6, "log", "later", "ERROR"),
        ],
    )
    error = JournalReader(paths).first_error()
    assert error is not None
    assert error.msg == "late"


def test_a_step_is_found_in_the_latest_attempt_that_went_through_it(paths: JobPaths) -> None:
    first = [line(seq, step=10 * seq, attempt=1) for seq in range(1, 13)]  # steps 10 to 120
    second = [line(14 + number, step=110 + 10 * number, attempt=2) for number in range(5)]  # steps 110 to 150
    put(paths, [*first, line(13, "job.resumed", attempt=2), *second])
    reader = JournalReader(paths)
    assert reader.seq_at_step(0) == 1
    assert reader.seq_at_step(50) == 5
    assert reader.seq_at_step(45) == 5
    assert reader.seq_at_step(110) == 14
    assert reader.seq_at_step(111) == 15
    assert reader.seq_at_step(150) == 18
    assert reader.seq_at_step(151) is None


def test_a_moment_is_found(paths: JobPaths) -> None:
    put(paths, [line(seq) for seq in range(1, 50)])
    reader = JournalReader(paths)
    assert reader.seq_at_time("2026-01-02T03:00:10.000000Z") == 10
    assert reader.seq_at_time("2026-01-02T03:00:10.500000Z") == 11
    assert reader.seq_at_time("2025-01-01T00:00:00.000000Z") == 1
    assert reader.seq_at_time("2027-01-01T00:00:00.000000Z") is None


def test_one_reader_serves_many_threads_while_lines_come(paths: JobPaths) -> None:
    from concurrent.futures import ThreadPoolExecutor

    reader = JournalReader(paths)
    with writer(paths) as journal, ThreadPoolExecutor(4) as pool:

        def ask(_: int) -> bool:
            page = reader.page(events=["training.step"], search="marker", limit=1000)
            return [entry.seq for entry in page.entries] == list(range(1, page.total + 1))[:1000]

        answers = []
        for number in range(400):
            journal.append(EventName.TRAINING_STEP, "marker", {"step": number})
            answers.append(pool.submit(ask, number))
        assert all(answer.result() for answer in answers)
    assert reader.page(search="marker").total == 400


def test_readers_are_kept_up_to_a_number_of_them_and_of_lines(tmp_path: Path) -> None:
    jobs = [f"train-kept{number}" for number in range(4)]
    for job_id in jobs:
        put(new_job(tmp_path, job_id), [line(seq) for seq in range(1, 11)])
    readers = JournalReaders(DataDir(tmp_path), capacity=3, max_lines=25)
    first = readers.of(jobs[0])
    assert readers.of(jobs[0]) is first
    for job_id in jobs[:3]:
        assert readers.of(job_id).last_seq() == 10
    assert readers.of(jobs[2]) is not None  # 30 lines are too many: the one longest unasked is forgotten
    assert readers.of(jobs[0]) is not first
    with pytest.raises(NotFound):
        readers.of("../up")
