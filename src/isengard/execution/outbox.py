"""The runner's way into its journal on a disk that may refuse for a while. Order is kept, memory is bounded.

Reports of the trainer wait in their spool until the disk takes them (`append` raises). What the runner itself and the
trainer's output have to say waits here (`put`); beyond `MAX_WAITING` lines it is counted instead, and the count told.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from isengard.core.clock import utc_now
from isengard.core.errors import StorageError
from isengard.core.redaction import Redactor
from isengard.events.models import EventName, Level
from isengard.journal import JournalWriter

MAX_WAITING = 1_000


@dataclass(frozen=True, slots=True)
class _Line:
    event: EventName
    msg: str
    fields: dict[str, Any]
    level: Level
    ts: str
    correlation_id: str | None = None


class Outbox:
    """Writes to `journal`, now or as soon as it can."""

    def __init__(self, journal: JournalWriter) -> None:
        self._journal = journal
        self._waiting: deque[_Line] = deque()
        self._left_out = 0
        self.fault: str | None = None

    @property
    def redactor(self) -> Redactor:
        """What the journal's lines go through; it knows the job's secrets."""
        return self._journal.redactor

    def append(
        self, event: EventName, msg: str, fields: dict[str, Any], level: Level = Level.INFO, ts: str | None = None
    ) -> None:
        """Write a line after those that wait; raises `StorageError`, and then it is not written."""
        self._flush()
        self._write(_Line(event, msg, fields, level, ts or utc_now()))

    def put(
        self,
        event: EventName,
        msg: str,
        fields: dict[str, Any],
        level: Level = Level.INFO,
        correlation_id: str | None = None,
    ) -> None:
        """Write a line, later if the disk refuses now.

        Args:
            correlation_id: The request that caused it, if not the one that the run belongs to.
        """
        line = _Line(event, msg, fields, level, utc_now(), correlation_id)
        if self.flush():
            try:
                return self._write(line)
            except StorageError:
                pass
        if len(self._waiting) < MAX_WAITING or event.startswith("job."):
            self._waiting.append(line)
        else:
            self._left_out += 1
        return None

    def flush(self) -> bool:
        """Try to write what waits; whether nothing waits any more."""
        try:
            self._flush()
        except StorageError:
            return False
        return True

    def sync(self) -> None:
        """Have the disk confirm what is written; a disk that cannot is told by the next line that fails."""
        try:
            self._journal.sync()
        except StorageError as error:
            self.fault = error.detail

    def _flush(self) -> None:
        while self._waiting:
            self._write(self._waiting[0])
            self._waiting.popleft()
        if self._left_out:
            fields = {"suppressed": self._left_out}
            message = f"{self._left_out} lines were left out while the disk refused to write"
            self._write(_Line(EventName.LOG, message, fields, Level.WARN, utc_now()))
            self._left_out = 0

    def _write(self, line: _Line) -> None:
        before = self._journal.last_seq
        try:
            self._journal.append(
                line.event, line.msg, line.fields, level=line.level, ts=line.ts, correlation_id=line.correlation_id
            )
        except StorageError as error:
            self.fault = error.detail
            if self._journal.last_seq == before:
                raise
            # The line is in the file and only the disk's confirmation is missing: writing it again would double it.
        else:
            self.fault = None
