"""One line of the journal as an object. Reads what newer versions write: unknown keys and events are let through."""

from __future__ import annotations

from typing import Any

import msgspec

from isengard.core.clock import UNKNOWN

DAMAGED = "journal.damaged"
"""The event of an entry that stands for a line which cannot be read. Never written to a file."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One line.

    Attributes:
        seq: Number of the line, from 1, without gaps.
        ts: When it happened, ``2026-01-02T03:04:05.678901Z``.
        level: ``DEBUG``, ``INFO``, ``WARN`` or ``ERROR``; a plain string, since a newer version may know others.
        event: One of `EventName`, or a newer one.
        service: Who wrote it: ``control``, ``runner``, ``worker``.
    """

    seq: int
    ts: str = ""
    level: str = "INFO"
    event: str = "log"
    msg: str = ""
    service: str = ""
    job_id: str = ""
    correlation_id: str | None = ""
    fields: dict[str, Any] = {}

    @classmethod
    def parse(cls, line: bytes) -> Entry:
        """The entry of a whole line; raises ValueError for a line that is not one."""
        try:
            return _decode(line)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ValueError(f"not a line of a journal: {error}") from error

    @classmethod
    def read(cls, line: bytes, seq: int) -> Entry:
        """The entry of line number `seq`; one that says so if the line is damaged."""
        try:
            return _decode(line)
        except (msgspec.MsgspecError, RecursionError):
            return cls(seq, UNKNOWN, level="ERROR", event=DAMAGED, msg=f"line {seq} is damaged ({len(line)} bytes)")

    def to_dict(self) -> dict[str, Any]:
        """The entry with the keys of the line, in their order."""
        return msgspec.structs.asdict(self)


_decode = msgspec.json.Decoder(Entry).decode
