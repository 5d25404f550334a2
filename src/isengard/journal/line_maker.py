"""Makes the bytes of a line: keys in their fixed order, redacted, one line feed at the end. Writes nothing.

Only what a caller gives is serialised and looked through for secrets each time; what is the same in every line of a
writer is made once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from isengard.core.redaction import Redactor
from isengard.events.models import EventName, Level
from isengard.journal.shorten import shortened
from isengard.journal.timestamps import TimestampClock

LONGEST_PART = 1 << 20
"""Bytes of a message or of fields; what is longer has its texts cut."""

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_LEVELS: dict[str, bytes] = {level: level.encode() for level in Level}
_EVENTS: dict[str, bytes] = {event: b'"%b"' % event.encode() for event in EventName}
_LINE = b'{"seq":%d,"ts":"%b","level":"%b","event":%b,"msg":%b%b%b}\n'


class LineMaker:
    """Makes the lines of one writer.

    Args:
        service: Who writes.
        redactor: Knows this job's secrets.
    """

    def __init__(self, job_id: str, *, service: str, redactor: Redactor, correlation_id: str) -> None:
        self._dumps = redactor.dumps
        self._clock = TimestampClock()
        self._names = b',"service":%b,"job_id":%b' % (self._json(service), self._json(job_id))
        self._middle = self._middle_of(correlation_id)

    def _middle_of(self, correlation_id: str) -> bytes:
        return b'%b,"correlation_id":%b,"fields":' % (self._names, self._json(correlation_id))

    def make(
        self,
        seq: int,
        ts: str | None,
        level: Level,
        event: str,
        msg: str,
        fields: Mapping[str, Any] | None,
        correlation_id: str | None = None,
    ) -> bytes:
        """The line with this number. Whatever stands in `fields`, there is a line.

        Args:
            ts: As in the journal; anything else means now.
            correlation_id: Of another request than the one that the writer's lines belong to.
        """
        moment = ts.encode() if ts is not None and _TIMESTAMP.fullmatch(ts) else self._clock.now()
        return _LINE % (
            seq,
            moment,
            _LEVELS[level],
            _EVENTS.get(event) or self._json(event),
            self._json(msg) if msg else b'""',
            self._middle_of(correlation_id) if correlation_id else self._middle,
            self._json(fields if type(fields) is dict else dict(fields)) if fields else b"{}",
        )

    def _json(self, value: Any) -> bytes:
        """`value` as JSON, redacted, of bounded length."""
        try:
            data = self._dumps(value)
        except Exception:  # an object of the caller's that cannot even say what it is; the line is worth more
            return self._shortened_json(value)
        return data[:-1] if len(data) <= LONGEST_PART else self._shortened_json(value)

    def _shortened_json(self, value: Any) -> bytes:
        data = self._dumps(shortened(value))[:-1]
        if len(data) <= LONGEST_PART:
            return data
        return self._dumps({"left_out": f"{len(data)} bytes"})[:-1]
