"""Service logs: JSON lines, redacted, rotated, with the correlation id, and never in the way of who logs."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from isengard.core import correlation
from isengard.core.correlation import Correlation
from isengard.core.errors import StorageError
from isengard.core.redaction import Redactor
from isengard.journal import service_log
from standins.small_disk import small_disk

log = logging.getLogger("isengard.test")
SECRET = os.urandom(12).hex()
REDACTOR = Redactor([SECRET])


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return service_log.configure("api", tmp_path, "INFO", REDACTOR)


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(each) for each in path.read_bytes().splitlines()]


def test_it_lies_where_the_contract_says(path: Path, tmp_path: Path) -> None:
    assert path == tmp_path / "logs" / "api" / "api.log"


def test_a_record_is_one_line_of_json(path: Path) -> None:
    with correlation.bind(Correlation("corr-9")):
        log.warning("taken %d of %s", 3, "five", extra={"event": "http.request", "job_id": "train-1", "status": 200})
    (line,) = lines(path)
    assert line | {"ts": ""} == {
        "ts": "",
        "level": "WARN",
        "event": "http.request",
        "msg": "taken 3 of five",
        "service": "api",
        "logger": "isengard.test",
        "job_id": "train-1",
        "correlation_id": "corr-9",
        "fields": {"status": 200},
    }
    assert len(line["ts"]) == 27


def test_what_is_below_the_level_is_left_out(path: Path) -> None:
    log.debug("quiet")
    log.info("loud")
    log.critical("very loud")
    assert [(line["level"], line["msg"]) for line in lines(path)] == [("INFO", "loud"), ("ERROR", "very loud")]


def test_an_exception_comes_with_its_stack(path: Path) -> None:
    try:
        raise RuntimeError("broken\nin two")
    except RuntimeError:
        log.exception("it happened")
    (line,) = lines(path)
    assert line["fields"]["error"] == "broken\nin two"
    assert line["fields"]["error_type"] == "RuntimeError"
    assert "test_an_exception_comes" in line["fields"]["error_stack"]


def test_secrets_are_masked_wherever_they_stand(path: Path) -> None:
    try:
        raise RuntimeError(SECRET)
    except RuntimeError:
        log.exception("about %s", SECRET, extra={"deep": [{"x": SECRET}]})
    assert SECRET not in path.read_text()


def test_a_message_whose_arguments_do_not_fit_is_logged_all_the_same(path: Path) -> None:
    (handler,) = [each for each in logging.getLogger().handlers if isinstance(each, service_log.ServiceLogHandler)]
    handler.handle(log.makeRecord(log.name, logging.INFO, __file__, 1, "needs %d", ("a number",), None))
    assert [line["msg"] for line in lines(path)] == ["needs %d ('a number',)"]


def test_a_full_disk_does_not_reach_the_caller_and_the_log_goes_on_when_there_is_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_disk(tmp_path / "small", kibibytes=64) as disk:
        path = service_log.configure("worker", disk, "INFO", REDACTOR)
        ballast = disk / "ballast"
        ballast.write_bytes(b"b" * 32768)
        for _ in range(200):
            log.info("x" * 400)
        assert capsys.readouterr().err.count("loses lines") == 1
        ballast.unlink()
        log.info("room again")
        assert lines(path)[-1]["msg"] == "room again"


def test_it_is_rotated_by_size_and_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (handler,) = [each for each in logging.getLogger().handlers if isinstance(each, service_log.ServiceLogHandler)]
    monkeypatch.setattr(handler, "max_bytes", 2000)
    for number in range(200):
        log.info("line %d", number)
    kept = sorted(path.parent.iterdir())
    assert len(kept) == service_log.KEEP + 1
    assert all(each.stat().st_size <= 2000 for each in kept)
    assert lines(path)[-1]["msg"] == "line 199"


def test_a_line_that_a_killed_process_left_unfinished_does_not_take_the_next_along(path: Path) -> None:
    path.write_bytes(b'{"ts":"20')
    log.info("after it")
    assert orjson.loads(path.read_bytes().splitlines()[1])["msg"] == "after it"


def test_configuring_again_replaces_the_log(path: Path, tmp_path: Path) -> None:
    other = service_log.configure("worker", tmp_path, "DEBUG", REDACTOR)
    log.debug("x")
    assert not path.exists()
    assert len(lines(other)) == 1


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file in the way")
    with pytest.raises(StorageError, match="logs/api"):
        service_log.configure("api", tmp_path, "INFO", REDACTOR)
