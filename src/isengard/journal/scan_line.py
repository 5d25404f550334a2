"""Turns one raw line into a record of the index, whatever it looks like; `scan.py` does the same for many at once."""

from __future__ import annotations

from typing import Any

import msgspec

from isengard.journal.records import (
    ABSENT,
    ERROR,
    EVENTS,
    FIGURED,
    LEVELS,
    MAX_ATTEMPT,
    MAX_STEP,
    NOT_A_NUMBER,
    STEP,
    WARN,
)

SEQ_KEY = b'{"seq":'
TS_KEY = b',"ts":"'
LEVEL_KEY = b'","level":"'
EVENT_KEY = b'","event":"'
MSG_KEY = b'","msg":"'
BODY = b'","service":"'
FIELDS = b',"fields":'
TS_LENGTH = 27
LEVEL_AT = len(SEQ_KEY) + len(TS_KEY) + TS_LENGTH + len(LEVEL_KEY)
"""Where the level stands in a usual line, plus the digits of its number."""

Record = tuple[float, float, int, int, int, int, int, int]
"""A record but for its offset: loss, lr, step, body, fields, attempt, level, event."""


class _Head(msgspec.Struct, gc=False):
    level: str = "INFO"
    event: str = "log"
    fields: msgspec.Raw = msgspec.Raw(b"{}")


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_any = msgspec.json.Decoder(dict[str, Any]).decode


def scan_line(line: bytes, seq: int) -> Record:
    """The record of line number `seq` (without its line feed). A damaged line counts as an error."""
    try:
        head = _decode_head(line)
    except (msgspec.MsgspecError, RecursionError):
        return ABSENT, ABSENT, -1, 0, 0, 0, ERROR, 0
    level, event = LEVELS.get(head.level, 0), EVENTS.get(head.event, 0)
    step, loss, lr, attempt = figures_of(bytes(head.fields)) if event in FIGURED else (-1, ABSENT, ABSENT, 0)
    if event == STEP and level >= WARN and loss != loss:  # noqa: PLR0124 - NaN: there is none, and the line warns
        loss = NOT_A_NUMBER
    body, fields = _parts(line, seq, head) if level and event else (0, 0)
    return loss, lr, step, body, fields, attempt, level, event


def _parts(line: bytes, seq: int, head: _Head) -> tuple[int, int]:
    """Where the parts behind the message begin; zeros if the keys do not stand where the writer puts them."""
    start = b"%b%d%b" % (SEQ_KEY, seq, TS_KEY)
    rest = b"%b%b%b%b%b" % (LEVEL_KEY, head.level.encode(), EVENT_KEY, head.event.encode(), MSG_KEY)
    if not line.startswith(start) or not line.startswith(rest, len(start) + TS_LENGTH):
        return 0, 0
    body = line.find(BODY, len(start) + TS_LENGTH + len(rest))
    fields = line.find(FIELDS, body) if body > 0 else -1
    return (body, fields) if fields > 0 else (0, 0)


def figures_of(text: bytes) -> tuple[int, float, float, int]:
    """Step, loss, lr and attempt in a fields object; what is missing or of another kind counts as not there."""
    try:
        fields = _decode_any(text)
    except (msgspec.MsgspecError, RecursionError):
        return -1, ABSENT, ABSENT, 0
    loss = NOT_A_NUMBER if "loss" in fields and fields["loss"] is None else _number(fields.get("loss"))
    return (
        _whole(fields.get("step"), MAX_STEP, -1),
        loss,
        _number(fields.get("lr")),
        _whole(fields.get("attempt"), MAX_ATTEMPT, 0),
    )


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ABSENT
    try:
        return float(value)
    except OverflowError:
        return ABSENT


def _whole(value: Any, highest: int, otherwise: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= highest:
        return otherwise
    return value
