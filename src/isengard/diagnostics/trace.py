"""The whole story of a request or of a job, in time order: what the services logged and what the journals hold.

Reads files only, one line in memory at a time; a journal of a million lines costs its scan. Never writes.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from isengard.core.correlation import is_valid
from isengard.core.errors import InvalidInput, NotFound
from isengard.core.paths import DataDir
from isengard.events.models import EventName
from isengard.journal import Entry, JournalReader

SERVICES = ("api", "worker")
_OF_REQUESTS = (EventName.JOB_RESUMED, EventName.JOB_CANCELLED, EventName.LOG)
_MOST_REQUESTS = 1000
_NUMBER = re.compile(r"\.(\d+)$")


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One line of the story.

    Attributes:
        source: The service's name, or the job's id for a journal line.
        entry: The line; of a service's log its `seq` is 0.
    """

    source: str
    entry: Entry

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"source": self.source, **self.entry.to_dict()}


def trace(data: DataDir, *correlation_ids: str) -> Iterator[TraceLine]:
    """Every line with one of `correlation_ids`, oldest first.

    Raises:
        InvalidInput: One of them cannot be a correlation id.
    """
    for each in correlation_ids:
        if not is_valid(each):
            raise InvalidInput(f"{each[:80]!r} is not a correlation id", field="correlation_id")
    wanted = {each: orjson.dumps(each) for each in correlation_ids}
    sources = [_service_lines(data, service, wanted) for service in SERVICES]
    sources += [_journal_lines(path, wanted) for path in sorted(data.jobs.glob("*/events.jsonl"))]
    return heapq.merge(*sources, key=lambda line: line.entry.ts)


def correlations_of(data: DataDir, job_id: str) -> list[str]:
    """The correlation ids of the requests that made, resumed, asked something of and cancelled a job, that which made
    it first; raises `NotFound` if its journal does not say.
    """
    reader = JournalReader(data.job(job_id))
    told = reader.read(limit=1) + reader.page(events=_OF_REQUESTS, limit=_MOST_REQUESTS).entries
    known = [entry.correlation_id for entry in told if entry.correlation_id]
    if not known:
        raise NotFound(f"the journal of {job_id} names no correlation id", field="job_id")
    return list(dict.fromkeys(known))


def _journal_lines(path: Path, wanted: Mapping[str, bytes]) -> Iterator[TraceLine]:
    for number, line in _lines_with(path, wanted):
        entry = Entry.read(line, number)
        if entry.correlation_id in wanted:
            yield TraceLine(path.parent.name, entry)


def _service_lines(data: DataDir, service: str, wanted: Mapping[str, bytes]) -> Iterator[TraceLine]:
    for path in _oldest_first(data.service_logs(service), service):
        for _, line in _lines_with(path, wanted):
            entry = _service_entry(line, service)
            if entry is not None and entry.correlation_id in wanted:
                yield TraceLine(service, entry)


def _service_entry(line: bytes, service: str) -> Entry | None:
    try:
        value = orjson.loads(line)
        return Entry(
            seq=0,
            ts=value["ts"],
            level=value["level"],
            event=value.get("event", "log"),
            msg=value.get("msg", ""),
            service=service,
            job_id=value.get("job_id", ""),
            correlation_id=value.get("correlation_id"),
            fields=value.get("fields") or {},
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None  # torn by a crash or by rotation; there is nothing in it to place in time


def _lines_with(path: Path, wanted: Mapping[str, bytes]) -> Iterator[tuple[int, bytes]]:
    """The whole lines of a file that hold one of `wanted`, with their numbers from 1; none if it cannot be read."""
    needles = tuple(wanted.values())
    try:
        file = path.open("rb")
    except OSError:  # vanished, or damaged: one bad journal must not hide the rest of the story
        return
    with file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n") and any(needle in line for needle in needles):
                yield number, line[:-1]


def _oldest_first(folder: Path, service: str) -> list[Path]:
    """``api.log.5`` … ``api.log.1``, ``api.log``."""
    return sorted(folder.glob(f"{service}.log*"), key=_age, reverse=True)


def _age(path: Path) -> int:
    match = _NUMBER.search(path.name)
    return int(match[1]) if match else 0
