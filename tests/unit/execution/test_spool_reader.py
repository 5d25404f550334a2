"""The report spool: each line once, numbered, whatever is in it and whoever reads on."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from isengard.core.errors import StorageError
from isengard.events.models import EventName, Level
from isengard.events.reports import Report, ReportSpool
from isengard.execution.spool import SpoolReader, parse


def step(number: int) -> Report:
    return Report(EventName.TRAINING_STEP, {"step": number})


def test_reports_come_once_in_order_with_their_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    reader = SpoolReader(path)
    assert list(reader.read()) == [], "a spool that is not there yet reads as empty"
    spool = ReportSpool(path)

    spool.send(step(1))
    spool.send(step(2))
    first = list(reader.read())
    spool.send(step(3))
    second = list(reader.read())

    assert [(item.number, item.report.fields["step"]) for item in first + second] == [(1, 1), (2, 2), (3, 3)]
    spool.close()
    reader.close()


def test_a_report_that_could_not_be_taken_comes_again(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    spool = ReportSpool(path)
    for number in (1, 2, 3):
        spool.send(step(number))
    reader = SpoolReader(path)
    taken = []

    def take(number: int) -> None:
        if number == 2 and taken == [1]:
            taken.append(0)
            raise StorageError("the disk is full")
        taken.append(number)

    with pytest.raises(StorageError):
        _ = [take(item.number) for item in reader.read()]
    for item in reader.read():
        take(item.number)

    assert taken == [1, 0, 2, 3]
    spool.close()
    reader.close()


def test_a_second_reader_goes_on_behind_what_is_journaled_and_takes_the_torn_end(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    spool = ReportSpool(path)
    for number in (1, 2, 3):
        spool.send(step(number))
    spool.close()
    with path.open("ab") as file:
        file.write(b'{"event":"training.step","fie')

    reader = SpoolReader(path, after=2)
    items = list(reader.rest())

    assert [item.number for item in items] == [3, 4]
    assert items[1].report.level is Level.WARN
    reader.close()


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    line = orjson.dumps({"event": "log", "msg": "é" * 700_000}) + b"\n"
    path.write_bytes(line[:1_200_000])
    reader = SpoolReader(path)

    assert list(reader.read()) == []
    with path.open("ab") as file:
        file.write(line[1_200_000:])

    assert [item.report.msg for item in reader.read()] == ["é" * 700_000]
    reader.close()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json",
        b"[1]",
        b'{"event":"job.completed"}',
        b'{"event":"nonsense"}',
        b'{"event":"log","fields":[1]}',
        b'{"event":"log","level":"LOUD"}',
        b'{"event":"training.step","fields":{"loss":NaN}}',
    ],
)
def test_what_is_no_report_is_told_as_a_warning(line: bytes) -> None:
    report = parse(line)

    assert (report.event, report.level) == (EventName.LOG, Level.WARN)
    assert report.fields["unreadable"] == line.decode()


def test_a_whole_report_behind_a_torn_one_counts() -> None:
    whole = orjson.dumps({"event": "training.step", "fields": {"step": 7, "note": {"event": "x"}}})

    assert parse(b'{"event":"log","ms' + whole).fields["step"] == 7
    assert parse(whole).fields["note"] == {"event": "x"}
