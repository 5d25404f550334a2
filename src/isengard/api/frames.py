"""Turns journal lines into frames of the live stream, made once and shared by every client.

Which event becomes which frame is decided here and nowhere else. Knows neither sockets nor files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from isengard.events.models import EventName
from isengard.journal import Entry

_TERMINAL: dict[str, str] = {
    EventName.JOB_COMPLETED: "complete",
    EventName.JOB_CANCELLED: "complete",
    EventName.JOB_FAILED: "error",
}
_DATA = b"\ndata: "
_KINDS: dict[str, str] = {
    EventName.TRAINING_STEP: "progress",
    EventName.TRAINING_SAMPLE: "sample",
    EventName.TRAINING_CHECKPOINT: "checkpoint",
    EventName.JOB_CREATED: "progress",
    EventName.JOB_QUEUED: "progress",
    EventName.JOB_STARTED: "progress",
    EventName.JOB_STAGE: "progress",
    EventName.JOB_RESUMED: "progress",
    EventName.JOB_ADOPTED: "progress",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, ready to be sent.

    Attributes:
        seq: Number of the journal line it was made from; its id.
        kind: The SSE event type.
        sse: The frame as server-sent-event bytes; its data is one JSON object without a line break.
        is_last: Whether it ends the stream.
    """

    seq: int
    kind: str
    sse: bytes
    is_last: bool

    def text(self) -> str:
        """The frame as one JSON text, for a WebSocket."""
        data = self.sse[self.sse.index(_DATA) + len(_DATA) : -2].decode()
        return f'{{"id":"{self.seq}","event":"{self.kind}","data":{data}}}'


def sse_frame(frame_id: int | str, event: str, data: bytes) -> bytes:
    """A server-sent event around ready-made `data`, which holds no line break."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (str(frame_id).encode(), event.encode(), data)


def frame(seq: int, kind: str, data: bytes, *, is_last: bool = False) -> Frame:
    """A frame around ready-made `data`."""
    return Frame(seq, kind, sse_frame(seq, kind, data), is_last)


def frame_of(entry: Entry, terminal_seq: int | None) -> Frame:
    """The frame of one journal line.

    Args:
        entry: The line.
        terminal_seq: Number of the line that ended the job for good, None while it goes on. Another line that ended
            an earlier attempt is shown as `progress`, so that only the last one closes the stream.
    """
    is_last = entry.seq == terminal_seq
    kind = _KINDS.get(entry.event, "log")
    if entry.event in _TERMINAL:
        kind = _TERMINAL[entry.event] if is_last else "progress"
    data = _log_data(entry) if kind == "log" else _progress_data(entry)
    return frame(entry.seq, kind, orjson.dumps(data), is_last=is_last)


def _progress_data(entry: Entry) -> dict[str, Any]:
    data: dict[str, Any] = {"job_id": entry.job_id, "correlation_id": entry.correlation_id, "ts": entry.ts}
    if entry.msg:
        data["message"] = entry.msg
    data.update(entry.fields)
    return data


def _log_data(entry: Entry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "timestamp": entry.ts,
        "level": entry.level,
        "event": entry.event,
        "message": entry.msg,
        "service": entry.service,
        "fields": entry.fields,
    }
