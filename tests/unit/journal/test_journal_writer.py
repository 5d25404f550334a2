"""The writer: numbers without gaps, one writer at a time, nothing half, nothing secret, whatever the disk does."""

from __future__ import annotations

import errno
import math
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from isengard.core.errors import JournalLocked, StorageError
from isengard.core.paths import JobPaths
from isengard.core.redaction import Redactor
from isengard.events.models import EventName, Level
from isengard.journal import append_file
from standins.journals import CORRELATION, JOB, entries_in, new_job, numbers_in, until, writer
from standins.small_disk import small_disk


@pytest.fixture
def paths(tmp_path: Path) -> JobPaths:
    return new_job(tmp_path)


def test_a_line_has_its_keys_in_the_fixed_order(paths: JobPaths) -> None:
    with writer(paths) as journal:
        journal.append(EventName.TRAINING_STEP, "", {"step": 1, "loss": 0.5})
    raw = paths.journal.read_bytes()
    assert raw.endswith(b"}\n")
    assert list(orjson.loads(raw)) == [
        "seq", "ts", "level", "event", "msg", "service", "job_id", "correlation_id", "fields",
    ]  # fmt: skip
    (entry,) = entries_in(paths)
    assert entry | {"ts": ""} == {
        "seq": 1,
        "ts": "",
        "level": "INFO",
        "event": "training.step",
        "msg": "",
        "service": "runner",
        "job_id": JOB,
        "correlation_id": CORRELATION,
        "fields": {"step": 1, "loss": 0.5},
    }


def test_the_time_of_a_line_is_now_in_utc_with_six_decimals(paths: JobPaths) -> None:
    before = datetime.now().astimezone()
    with writer(paths) as journal:
        journal.append(EventName.LOG, "now")
    after = datetime.now().astimezone()
    ts = entries_in(paths)[0]["ts"]
    assert len(ts) == 27
    assert before <= datetime.fromisoformat(ts) <= after


def test_a_given_time_stands_unless_it_is_none(paths: JobPaths) -> None:
    given = "2026-01-02T03:04:05.678901Z"
    with writer(paths) as journal:
        journal.append(EventName.LOG, "then", ts=given)
        journal.append(EventName.LOG, "no time", ts='x","level":"ERROR')
    first, second = entries_in(paths)
    assert first["ts"] == given
    assert second["level"] == "INFO"
    datetime.fromisoformat(second["ts"])


def test_numbers_go_on_across_reopenings(paths: JobPaths) -> None:
    for _ in range(3):
        with writer(paths) as journal:
            assert [journal.append(EventName.LOG), journal.append(EventName.LOG)] == [
                journal.last_seq - 1,
                journal.last_seq,
            ]
    assert numbers_in(paths) == [1, 2, 3, 4, 5, 6]


def test_threads_share_a_writer_without_gaps_or_repeats(paths: JobPaths) -> None:
    with writer(paths) as journal:
        threads = [
            threading.Thread(target=lambda: [journal.append(EventName.LOG, "x" * 50) for _ in range(500)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert numbers_in(paths) == list(range(1, 2001))


def test_a_second_writer_is_refused_and_told_who_holds_it(paths: JobPaths) -> None:
    with writer(paths), pytest.raises(JournalLocked, match=str(os.getpid())):
        writer(paths)
    writer(paths).close()


def test_a_writer_in_another_process_is_seen_and_its_death_frees_the_journal(paths: JobPaths) -> None:
    code = (
        "import sys, time; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from standins.journals import writer; from isengard.core.paths import JobPaths\n"
        "journal = writer(JobPaths(Path(sys.argv[1]))); print('open', flush=True); time.sleep(600)"
    )
    tests = str(Path(__file__).parents[2])
    other = subprocess.Popen([sys.executable, "-c", code, str(paths.root), tests], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(JournalLocked, match=str(other.pid)):
            writer(paths)
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate()
    with writer(paths) as journal:
        assert journal.append(EventName.LOG) == 1


def test_secrets_are_masked_before_they_are_written(paths: JobPaths) -> None:
    secret = f"hunter{os.urandom(8).hex()}"
    with writer(paths, redactor=Redactor([secret])) as journal:
        journal.append(EventName.LOG, f"it is {secret}", {"api_key": f"k{secret}", "deep": [{"text": secret}]})
    raw = paths.journal.read_bytes()
    assert secret.encode() not in raw
    entry = orjson.loads(raw)
    assert entry["msg"].startswith("it is ")
    assert "***" in entry["fields"]["api_key"]


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "fields",
    [
        {1: "a key that is no text"},
        {"half a pair": "\ud800"},
        {"huge": 10**40},
        {"object": object()},
        {"unspeakable": Unspeakable()},
        {"nan": math.nan, "infinite": math.inf},
        {"bytes": b"\xff\x00"},
        {"path": Path("/tmp")},
        {"set": {1, 2}},
        {"control": "\x00\x1b[31m\u2028\r\n"},
        {"seq": 99, "ts": "fields have keys of their own"},
    ],
    ids=lambda fields: str(next(iter(fields))),
)
def test_whatever_stands_in_the_fields_a_line_comes_of_it(paths: JobPaths, fields: dict[Any, Any]) -> None:
    with writer(paths) as journal:
        journal.append(EventName.LOG, "odd", fields)
        journal.append(EventName.LOG, "next")
    assert [entry["msg"] for entry in entries_in(paths)] == ["odd", "next"]
    assert numbers_in(paths) == [1, 2]


def test_a_nested_structure_without_end_is_cut(paths: JobPaths) -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    with writer(paths) as journal:
        journal.append(EventName.LOG, "round", endless)
    assert numbers_in(paths) == [1]


def test_a_line_of_megabytes_is_cut_to_size(paths: JobPaths) -> None:
    with writer(paths) as journal:
        journal.append(EventName.LOG, "m" * 5_000_000, {"text": "t" * 5_000_000, "many": ["x" * 2000] * 100_000})
    assert paths.journal.stat().st_size < 4_000_000
    assert entries_in(paths)[0]["msg"].startswith("mmm")


def test_an_unknown_event_and_its_quotes_are_harmless(paths: JobPaths) -> None:
    with writer(paths) as journal:
        journal.append('made."up"', "x")
    assert entries_in(paths)[0]["event"] == 'made."up"'


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """The kernel refuses to let a file of this process grow beyond `limit`: writes come back short, then EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_half_a_line_keeps_none_of_it_and_the_number_is_used_again(paths: JobPaths) -> None:
    with writer(paths) as journal:
        journal.append(EventName.LOG, "first")
        whole = paths.journal.read_bytes()
        with file_size_limit(len(whole) + 40), pytest.raises(StorageError, match=r"events\.jsonl"):
            journal.append(EventName.LOG, "x" * 500)
        assert paths.journal.read_bytes() == whole
        assert journal.last_seq == 1
        assert journal.append(EventName.LOG, "second") == 2
    assert [entry["msg"] for entry in entries_in(paths)] == ["first", "second"]


def test_a_full_disk_refuses_whole_lines_and_room_made_lets_the_next_ones_through(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", kibibytes=128) as disk:
        paths = new_job(disk)
        ballast = disk / "ballast"
        ballast.write_bytes(b"b" * 32768)
        with writer(paths) as journal:
            written = 0
            full = None
            while full is None:
                try:
                    journal.append(EventName.LOG, "x" * 300)
                    written += 1
                except StorageError as error:
                    full = error
            assert "No space left" in full.detail
            assert written == journal.last_seq == numbers_in(paths)[-1]
            with pytest.raises(StorageError):
                journal.append(EventName.LOG, "x" * 9000)
            ballast.unlink()
            assert journal.append(EventName.LOG, "there is room") == written + 1
        assert numbers_in(paths) == list(range(1, written + 2))


def test_a_cut_that_fails_too_is_made_up_for_before_the_next_line(
    paths: JobPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_fd: int, _size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with writer(paths) as journal:
        journal.append(EventName.LOG, "first")
        size = paths.journal.stat().st_size
        with monkeypatch.context() as patch:  # no disk can be made to refuse a cut on demand
            patch.setattr(os, "ftruncate", refuse)
            with file_size_limit(size + 40), pytest.raises(StorageError):
                journal.append(EventName.LOG, "x" * 500)
            assert paths.journal.stat().st_size > size
            with pytest.raises(StorageError, match="cannot be mended"):
                journal.append(EventName.LOG, "second")
        assert journal.append(EventName.LOG, "second") == 2
    assert [entry["msg"] for entry in entries_in(paths)] == ["first", "second"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    missing = JobPaths(tmp_path / "logs" / "jobs" / JOB)
    with pytest.raises(StorageError, match=str(missing.root)):
        writer(missing)


def test_lines_that_end_something_are_on_the_disk_when_append_returns(
    paths: JobPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = append_file.sync_data

    def note(fd: int) -> None:
        real(fd)
        synced.append(os.fstat(fd).st_size)

    monkeypatch.setattr(append_file, "sync_data", note)
    with writer(paths) as journal:
        for event in (EventName.TRAINING_CHECKPOINT, EventName.JOB_COMPLETED):
            journal.append(event)
            assert synced[-1] == paths.journal.stat().st_size


def test_other_lines_are_on_the_disk_soon_without_anybody_asking(
    paths: JobPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, str]] = []
    real = append_file.sync_data

    def note(fd: int) -> None:
        real(fd)
        synced.append((os.fstat(fd).st_size, threading.current_thread().name))

    monkeypatch.setattr(append_file, "sync_data", note)
    with writer(paths) as journal:
        journal.append(EventName.TRAINING_STEP, "", {"step": 1})
        size = paths.journal.stat().st_size
        until(lambda: bool(synced), "a sync")
        assert synced[-1] == (size, "journal-background")


class TestADiskThatDoesNotConfirm:
    """fsync fails with EIO. No file system here can be told to do so, so the call itself is made to."""

    @pytest.fixture(autouse=True)
    def _broken_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        answers = iter([OSError(errno.EIO, "Input/output error")])

        def fail_once(_fd: int) -> None:
            for error in answers:
                raise error

        monkeypatch.setattr(append_file, "sync_data", fail_once)

    def test_sync_says_so_and_never_claims_success_afterwards(self, paths: JobPaths) -> None:
        with writer(paths) as journal:
            journal.append(EventName.LOG, "at risk")
            for _ in range(3):
                with pytest.raises(StorageError, match="not safe on its disk"):
                    journal.sync()
            assert journal.fault is not None

    def test_the_journal_tells_of_it_and_goes_on(self, paths: JobPaths, caplog: pytest.LogCaptureFixture) -> None:
        with writer(paths) as journal:
            journal.append(EventName.LOG, "at risk")
            until(lambda: journal.last_seq == 2, "a line about the disk")
            journal.append(EventName.TRAINING_STEP, "", {"step": 1})
        about = entries_in(paths)[1]
        assert about["level"] == "ERROR"
        assert "power cut" in about["msg"]
        assert numbers_in(paths) == [1, 2, 3]
        assert "may lose" in caplog.text

    def test_nothing_follows_a_terminal_line(self, paths: JobPaths) -> None:
        with writer(paths) as journal:
            journal.append(EventName.JOB_FAILED, "it failed", level=Level.ERROR)
            assert journal.fault is not None
        assert [entry["event"] for entry in entries_in(paths)] == ["job.failed"]


def test_closing_twice_is_harmless_and_appending_afterwards_is_refused(paths: JobPaths) -> None:
    journal = writer(paths)
    journal.append(EventName.LOG)
    journal.close()
    journal.close()
    with pytest.raises(StorageError):
        journal.append(EventName.LOG)
    assert numbers_in(paths) == [1]
