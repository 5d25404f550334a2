"""Reports: how a trainer process tells its runner what happened.

Wire protocol. The runner names a file in ``ISENGARD_REPORTS``; the trainer, or anything it starts, in any language,
appends one JSON object a line to it, each with one ``write``:

    {"event":"training.step","level":"INFO","msg":"","ts":"2026-01-02T03:04:05.678901Z","fields":{"step":1,"loss":0.5}}

``event`` is an `EventName` (``training.*``, ``job.stage`` or ``log``); `fields` holds a `TrainingProgressEvent` without
its empty fields, or for ``log`` whatever the line says. The runner follows the file and writes each report into the
journal, with its line number as ``fields.report``, so that a report is taken exactly once whoever dies in between: a
file, unlike a pipe, still holds what a killed runner had not read. The spool is removed when the attempt has ended.

The runner speaks to the trainer through marker files in the folder ``ISENGARD_REQUESTS``: ``stop``, ``sample`` and
``save``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from isengard.core.clock import utc_now
from isengard.core.plain import plain
from isengard.events.models import EventName, Level

ENV_REPORTS = "ISENGARD_REPORTS"
ENV_REQUESTS = "ISENGARD_REQUESTS"
ENV_RUN = "ISENGARD_RUN"
"""``{job_id}/{attempt}``: marks every process of a run, so that none survives it unnoticed."""


@dataclass(slots=True)
class Report:
    """One thing a trainer says: a journal line before it has a number."""

    event: EventName
    fields: dict[str, Any] = field(default_factory=dict)
    msg: str = ""
    level: Level = Level.INFO
    ts: str = field(default_factory=utc_now)


def encode(report: Report) -> bytes:
    """`report` as its line of the spool, line feed included. What JSON cannot hold is made plain, never refused."""
    line = {
        "event": report.event,
        "level": report.level,
        "msg": report.msg,
        "ts": report.ts,
        "fields": report.fields,
    }
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    try:
        return orjson.dumps(line, default=str, option=options)
    except TypeError:  # a key that is no text, half a surrogate pair, a number of 20 digits, a mapping within itself
        return orjson.dumps(plain(line), option=options)


class ReportSpool:
    """Appends reports to the spool file; safe for several threads and processes at once.

    Args:
        path: The file named in ``ISENGARD_REPORTS``; created when missing, readable by the owner only.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._torn = False

    def send(self, report: Report) -> None:
        """Append `report`; when this returns it survives the death of trainer and runner.

        Raises:
            OSError: The disk refused; nothing, or a part that the reader will set aside, was written.
        """
        self.write(b"\n" + encode(report) if self._torn else encode(report))

    def write(self, line: bytes) -> None:
        """Append an encoded line; a caller that was refused may give the very line again, however much of it is there.

        Raises:
            OSError: As for `send`.
        """
        written = 0
        try:
            written = os.write(self._fd, line)
            while written < len(line):  # nearly full: the rest may still fit, or the disk says why not
                written += os.write(self._fd, line[written:])
            self._torn = False
        finally:
            self._torn = self._torn or 0 < written < len(line)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
