"""Reads the report spool of a run (`events/reports.py`) as it grows: each line once, in order, numbered from 1.

What is no report – half a line after a full disk, somebody else's words – still takes its number and is told as a
warning, so that counting never goes wrong. Never writes to the spool.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import orjson

from isengard.core.clock import format_utc, parse_utc, utc_now
from isengard.core.paths import JobPaths
from isengard.events import overflow
from isengard.events.models import EventName, Level
from isengard.events.reports import Report

REPORTABLE = frozenset(
    {
        EventName.TRAINING_STEP,
        EventName.TRAINING_SAMPLE,
        EventName.TRAINING_CHECKPOINT,
        EventName.JOB_STAGE,
        EventName.LOG,
    }
)
"""What a trainer may say. How a job began and ended is not its to tell."""

MAX_LINE = 4 * 1024 * 1024
_CHUNK = 1024 * 1024
_TRIES = 8
_BEGINNING = b'{"event":'


@dataclass(frozen=True, slots=True)
class Numbered:
    """A report and its line number in the spool."""

    number: int
    report: Report


class SpoolReader:
    """A position in the spool.

    Args:
        path: The spool; it need not exist yet.
        after: The last line number that is in the journal already.
        overflow: Finds the spool that the writer turned to for good when it could not write the first one any more.
    """

    def __init__(self, path: Path, after: int = 0, overflow: Callable[[], Path | None] = lambda: None) -> None:
        self._path = path
        self._after = after
        self._overflow = overflow
        self._descriptor: int | None = None
        self._offset = 0
        self._number = 0

    def read(self) -> Iterator[Numbered]:
        """The reports since the last call. One that the caller fails to take comes again."""
        yield from self._read_file()
        if (overflow := self._overflow()) is not None:
            yield from self._read_file()  # the last that was written before the writer turned away
            self._turn_to(overflow)
            yield from self._read_file()

    def _read_file(self) -> Iterator[Numbered]:
        if self._descriptor is None and not self._open():
            return
        assert self._descriptor is not None  # noqa: S101 - for the type checker
        while chunk := os.pread(self._descriptor, _CHUNK, self._offset):
            end = chunk.rfind(b"\n") + 1
            if end == 0:
                if len(chunk) < _CHUNK or not (chunk := self._long_line()):
                    return
                end = len(chunk)
            yield from self._split(chunk[:end])

    def rest(self) -> Iterator[Numbered]:
        """Like `read`, for a spool that nobody writes any more: a last line without its end counts as well."""
        yield from self.read()
        if self._descriptor is not None and (tail := os.pread(self._descriptor, MAX_LINE, self._offset)):
            yield from self._split(tail + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> bool:
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        return True

    def _turn_to(self, overflow: Path) -> None:
        """Go on there. What the first spool holds of a line it could not take is repeated there as a whole."""
        self.close()
        self._path, self._offset, self._overflow = overflow, 0, lambda: None

    def _long_line(self) -> bytes:
        """The line at the position, which is longer than a chunk; empty while its end is not written."""
        assert self._descriptor is not None  # noqa: S101 - for the type checker
        text = os.pread(self._descriptor, MAX_LINE, self._offset)
        end = text.find(b"\n") + 1
        if end == 0 and len(text) == MAX_LINE:  # hopeless: take it in pieces, each of which is told as unreadable
            return text
        return text[:end]

    def _split(self, block: bytes) -> Iterator[Numbered]:
        *lines, tail = block.split(b"\n")
        sized = [(line, len(line) + 1) for line in lines] + ([(tail, len(tail))] if tail else [])
        for line, size in sized:
            if self._number >= self._after:
                yield Numbered(self._number + 1, parse(line))
            self._offset += size  # only now: a caller that could not journal the report gets it again
            self._number += 1


def of_job(paths: JobPaths, after: int = 0) -> SpoolReader:
    """The reader of a job's spool, wherever the training writes it."""
    return SpoolReader(paths.reports, after, lambda: overflow.spool(paths.job_id))


def parse(line: bytes) -> Report:
    """The report in one line of the spool, or a warning that quotes what is there instead.

    Of a line that begins with the torn end of another writer's report, the whole report behind it counts.
    """
    try:
        body = _body(line)
        event = EventName(body["event"])
        fields = body.get("fields") or {}
        if event not in REPORTABLE or not isinstance(fields, dict):
            raise ValueError(f"{event} is not a trainer's to report")
        return Report(event, fields, str(body.get("msg") or ""), Level(body.get("level", "INFO")), _moment(body))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        shown = line[:500].decode("utf-8", "replace")
        return Report(EventName.LOG, {"unreadable": shown}, f"the trainer's report cannot be read: {error}", Level.WARN)


def _body(line: bytes) -> dict[str, Any]:
    """The object in the line, or the first whole one behind a torn beginning."""
    start = 0
    for _ in range(_TRIES):
        try:
            return dict(orjson.loads(line[start:]))
        except (ValueError, TypeError):
            start = line.find(_BEGINNING, start + 1)
            if start < 0:
                raise
    raise ValueError("nothing in it is a report")


def _moment(body: dict[str, Any]) -> str:
    try:
        moment = parse_utc(str(body["ts"]))
        return format_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (KeyError, ValueError, OverflowError):
        return utc_now()
