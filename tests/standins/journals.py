"""Journals for tests: made by the real writer, or byte by byte where a test is about bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from isengard.core.paths import JobPaths
from isengard.core.redaction import Redactor
from isengard.journal import JournalWriter

JOB = "train-j0urna1"
CORRELATION = "corr-00112233445566778899aabbccddeeff"
REDACTOR = Redactor()


def new_job(root: Path, job_id: str = JOB) -> JobPaths:
    paths = JobPaths(root / "logs" / "jobs" / job_id)
    paths.make()
    return paths


def writer(paths: JobPaths, service: str = "runner", redactor: Redactor = REDACTOR) -> JournalWriter:
    return JournalWriter.open(paths, service=service, redactor=redactor, correlation_id=CORRELATION)


def line(seq: int, event: str = "training.step", msg: str = "", level: str = "INFO", **fields: Any) -> bytes:
    """A line as the writer makes it, without its line feed."""
    return orjson.dumps(
        {
            "seq": seq,
            "ts": f"2026-01-02T03:{seq // 60 % 60:02d}:{seq % 60:02d}.000000Z",
            "level": level,
            "event": event,
            "msg": msg,
            "service": "runner",
            "job_id": JOB,
            "correlation_id": CORRELATION,
            "fields": fields,
        }
    )


def put(paths: JobPaths, lines: Iterable[bytes]) -> None:
    """Replace the journal by these lines."""
    paths.journal.write_bytes(b"".join(each + b"\n" for each in lines))


def entries_in(paths: JobPaths) -> list[dict[str, Any]]:
    """What a plain reader makes of the file."""
    return [orjson.loads(each) for each in paths.journal.read_bytes().splitlines()]


def numbers_in(paths: JobPaths) -> list[int]:
    return [entry["seq"] for entry in entries_in(paths)]


def until(condition: Callable[[], bool], what: str = "the condition", timeout_s: float = 20) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.005)


def subset(entry: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: entry[name] for name in names}
