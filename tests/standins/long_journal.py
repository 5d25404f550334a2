"""Journals of a million lines, made in about a second, and jobs that have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import orjson

from isengard.core.clock import format_utc
from isengard.core.paths import JobPaths
from isengard.jobs.models import Job, JobStatus
from isengard.jobs.store import Store
from standins.jobs_and_characters import a_job

Line = tuple[str, str, str, dict[str, object]]
"""Level, event, message and fields."""

_BLOCK = 10_000
_START = datetime(2026, 3, 1, 8, tzinfo=UTC)
_STEP: Line = ("INFO", "training.step", "", {})


def ended_job(store: Store, **changes: object) -> Job:
    """A row of a job that is over, so that no worker touches it."""
    (character,) = store.list_characters()[:1]
    ended = {"status": JobStatus.COMPLETED, "started_at": _START, "completed_at": _START + timedelta(hours=1)}
    return store.restore_job(a_job(character, **{**ended, **changes}))[0]


def write(paths: JobPaths, lines: int, special: Mapping[int, Line]) -> None:
    """Write `lines` lines, ten a second; `special` holds level, event, message and fields of those that are not steps.

    A step line's number is its step.
    """
    paths.make()
    with paths.journal.open("wb") as file:
        for first in range(1, lines + 1, _BLOCK):
            file.write(b"".join(_lines(paths.job_id, first, min(first + _BLOCK, lines + 1), special)))


def _figures(step: int) -> str:
    return f'{{"step":{step},"steps_total":1000000,"loss":{0.1 + step % 97 / 1000},"lr":0.0001,"attempt":1}}'


def _lines(job_id: str, first: int, end: int, special: Mapping[int, Line]) -> Iterator[bytes]:
    tail = f'"service":"runner","job_id":"{job_id}","correlation_id":"corr-of-runner"'
    for second in range(first // 10, end // 10 + 1):
        stamp = format_utc(_START + timedelta(seconds=second))
        for seq in range(max(first, second * 10), min(end, second * 10 + 10)):
            level, event, msg, fields = special.get(seq, _STEP)
            told = orjson.dumps(fields).decode() if fields else _figures(seq)
            text = orjson.dumps(msg).decode() if msg else '""'
            yield (
                f'{{"seq":{seq},"ts":"{stamp}","level":"{level}","event":"{event}","msg":{text},{tail},'
                f'"fields":{told}}}\n'
            ).encode()
