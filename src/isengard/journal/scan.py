"""Turns raw lines into records of the index.

Lines that our writer wrote have their keys in a fixed order, so most of a record is found by looking at fixed places of
many lines at once; only the fields of progress lines are parsed. A line that looks different in any way is taken apart
by itself (`scan_line.py`), which is slower and gives the same record.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from isengard.events.models import EventName
from isengard.journal.records import ABSENT, EVENTS, FIGURED, LEVELS, NOT_A_NUMBER, RECORD, STEP, WARN, Records
from isengard.journal.scan_line import (
    BODY,
    EVENT_KEY,
    FIELDS,
    LEVEL_KEY,
    MSG_KEY,
    SEQ_KEY,
    TS_KEY,
    TS_LENGTH,
    scan_line,
)

_FEW = 48
"""So many lines are sooner taken one by one."""
_LINE_FEED, _QUOTE = 10, 34
_POWERS = np.array([10**n for n in range(1, 19)], np.int64)
_MOST_DIGITS = 8

Places = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
Text = list[tuple[int, np.uint64, np.uint64]]
"""A text as words of eight bytes: place, mask, value under the mask."""


def _words(text: bytes) -> Text:
    parts = [(at, text[at : at + 8]) for at in range(0, len(text), 8)]
    return [(at, np.uint64((1 << 8 * len(part)) - 1), np.uint64(int.from_bytes(part, "little"))) for at, part in parts]


def _byte_table(entries: dict[int, int], kind: type[np.generic]) -> npt.NDArray[Any]:
    table = np.zeros(256, kind)
    for byte, value in entries.items():
        table[byte] = value
    return table


_OFTEN = (EventName.TRAINING_STEP, EventName.SUBPROCESS_STDOUT, EventName.SUBPROCESS_STDERR, EventName.LOG)
_EVENT_WORDS = [
    (EVENTS[event], len(event), _words(f'{event}"'.encode())) for event in sorted(EVENTS, key=lambda e: e not in _OFTEN)
]
_LEVEL_WORDS = [_words(level.encode())[0] for level in LEVELS]
_LEVEL_BY_FIRST = _byte_table({ord(name[0]): code for name, code in LEVELS.items()}, np.uint8)
_LENGTH_BY_FIRST = _byte_table({ord(name[0]): len(name) for name in LEVELS}, np.int64)
_IS_FIGURED = np.isin(np.arange(256), list(FIGURED))
_KEYS = {key: _words(key) for key in (SEQ_KEY, TS_KEY, LEVEL_KEY, EVENT_KEY, MSG_KEY, BODY, FIELDS)}


class _Figures(msgspec.Struct, gc=False):
    """The figures in the fields of a progress line; strict, so that anything odd is looked at by itself."""

    step: int = -1
    loss: float | None = ABSENT
    lr: float = ABSENT
    attempt: int = 0


_decode_figures = msgspec.json.Decoder(list[_Figures]).decode


def scan(data: bytes, first_seq: int, offset: int = 0) -> Records:
    """The records of whole lines.

    Args:
        data: Lines, each with its line feed; what stands behind the last line feed is passed over.
        first_seq: Number of the first.
        offset: Where `data` begins in the file.
    """
    end = data.rfind(b"\n") + 1
    few = data.count(b"\n", 0, min(end, 1 << 16)) < _FEW
    records: Records = _scan_each(data[:end], first_seq) if few else _Scan(data, end, first_seq).records()
    records["offset"] += np.uint64(offset)
    return records


def _scan_each(data: bytes, first_seq: int) -> Records:
    records = np.zeros(data.count(b"\n"), RECORD)
    start = 0
    for number, line in enumerate(data.split(b"\n")[:-1]):
        records[number] = (start, *scan_line(line, first_seq + number))
        start += len(line) + 1
    return records


class _Scan:
    """Looks at many lines at once. Places are counted from the start of the data."""

    def __init__(self, data: bytes, end: int, first_seq: int) -> None:
        self._end = end
        self._first_seq = first_seq
        self._data = b"".join((memoryview(data)[:end], bytes(64)))  # so that no look goes beyond the end
        self._bytes = np.frombuffer(self._data, np.uint8)
        self._word_at: Words = np.ndarray(end + 56, "<u8", self._data, strides=(1,))
        self._ends: Places = np.flatnonzero(self._bytes == _LINE_FEED)
        self._starts: Places = np.concatenate(([0], self._ends[:-1] + 1))
        self._usual = np.ones(len(self._ends), np.bool_)

    def records(self) -> Records:
        records = np.zeros(len(self._ends), RECORD)
        records["offset"] = self._starts
        records["step"], records["loss"], records["lr"] = -1, ABSENT, ABSENT
        message_at = self._events(records, self._levels(records))
        body = self._bodies(message_at)
        fields = self._fields(body)
        records["body"] = body - self._starts
        records["fields"] = fields - self._starts
        if not self._figures(records, fields):
            return _scan_each(self._data[: self._end], self._first_seq)
        for number in np.flatnonzero(~self._usual).tolist():
            start = int(self._starts[number])
            line = self._data[start : int(self._ends[number])]
            records[number] = (start, *scan_line(line, self._first_seq + number))
        return records

    def _is(self, places: Places, text: Text) -> Flags:
        """Where the text stands at the places."""
        answer: Flags | None = None
        for at, mask, value in text:
            found = (self._word_at[places + at if at else places] & mask) == value
            answer = found if answer is None else answer & found
        assert answer is not None  # noqa: S101 - no text is empty
        return answer

    def _behind(self, places: Places, key: bytes) -> Places:
        """The places behind `key`; lines that do not have it there are not usual."""
        self._usual &= self._is(places, _KEYS[key])
        return self._inside(places + len(key))

    def _inside(self, places: Places) -> Places:
        """No place beyond the data, whatever an unusual line made of it."""
        return np.minimum(places, self._end, out=places)

    def _levels(self, records: Records) -> Places:
        """Set the levels; returns where the event's name begins."""
        seqs = np.arange(self._first_seq, self._first_seq + len(self._ends), dtype=np.int64)
        digits: Places = 1 + np.searchsorted(_POWERS, seqs, "right")
        after_number = self._inside(self._behind(self._starts, SEQ_KEY) + digits)
        self._usual &= self._number_before(after_number, digits) == seqs.view(np.uint64)
        level_at = self._behind(self._inside(self._behind(after_number, TS_KEY) + TS_LENGTH), LEVEL_KEY)
        word = self._word_at[level_at]
        self._usual &= np.logical_or.reduce([(word & mask) == value for _, mask, value in _LEVEL_WORDS])
        first = word.astype(np.uint8)
        records["level"] = _LEVEL_BY_FIRST[first]
        return self._behind(self._inside(level_at + _LENGTH_BY_FIRST[first]), EVENT_KEY)

    def _number_before(self, places: Places, digits: Places) -> Words:
        """The numbers of so many digits that end at the places, all digits at once (what is none gives nonsense)."""
        self._usual &= digits <= _MOST_DIGITS
        spare = (np.maximum(_MOST_DIGITS - digits, 0) * 8).view(np.uint64)
        word = self._word_at[np.maximum(places - 8, 0)] - np.uint64(0x3030303030303030)
        word = word >> spare << spare  # what stands before the number counts as zeros
        word = (word * np.uint64(10) + (word >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
        word = (word * np.uint64(100) + (word >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
        return (word * np.uint64(10000) + (word >> np.uint64(32))) & np.uint64(0xFFFFFFFF)

    def _events(self, records: Records, event_at: Places) -> Places:
        """Set the events; returns where the message begins."""
        codes = np.zeros(len(event_at), np.uint8)
        lengths = np.zeros(len(event_at), np.int64)
        left = np.flatnonzero(self._usual)
        for code, length, text in _EVENT_WORDS:
            found = self._is(event_at[left], text)
            codes[left[found]], lengths[left[found]] = code, length
            left = left[~found]
            if not len(left):
                break
        self._usual[left] = False
        records["event"] = codes
        return self._behind(self._inside(event_at + lengths), MSG_KEY)

    def _bodies(self, message_at: Places) -> Places:
        """Where the part behind the message begins: right there if it is empty, else it is looked for."""
        body = message_at.copy()
        told = np.flatnonzero((self._bytes[message_at] != _QUOTE) & self._usual)
        self._look_for(BODY, body, told)
        self._behind(body, BODY)
        return body

    def _fields(self, body: Places) -> Places:
        """Where the key of the fields begins: mostly as far behind the body as in the line before."""
        sample = int(body[self._usual.argmax()])
        distance = max(0, self._data.find(FIELDS, sample) - sample)
        fields = self._inside(body + distance)
        self._look_for(FIELDS, fields, np.flatnonzero(~self._is(fields, _KEYS[FIELDS]) & self._usual), body)
        self._behind(fields, FIELDS)
        return fields

    def _look_for(self, text: bytes, places: Places, lines: Places, begin: Places | None = None) -> None:
        """Set the places of `text` in some lines; it is looked for from their place on, or from `begin`."""
        starts = (places if begin is None else begin)[lines].tolist()
        find, beyond = self._data.find, self._end
        found = [find(text, start, end) for start, end in zip(starts, self._ends[lines].tolist(), strict=True)]
        places[lines] = [place if place >= 0 else beyond for place in found]

    def _figures(self, records: Records, fields: Places) -> bool:
        """Set the figures of progress lines; False if any of them is odd."""
        lines = np.flatnonzero(_IS_FIGURED[records["event"]] & self._usual)
        starts, ends = (fields[lines] + len(FIELDS)).tolist(), (self._ends[lines] - 1).tolist()
        texts = [self._data[start:end] for start, end in zip(starts, ends, strict=True)]
        try:
            figures = _decode_figures(b"[" + b",".join(texts) + b"]")
            if len(figures) != len(texts):
                return False
            records["step"][lines] = [each.step for each in figures]
            records["lr"][lines] = [each.lr for each in figures]
            records["attempt"][lines] = [each.attempt for each in figures]
        except (msgspec.MsgspecError, OverflowError):
            return False
        losses = [each.loss for each in figures]
        records["loss"][lines] = (
            [NOT_A_NUMBER if each is None else each for each in losses] if None in losses else losses
        )
        silent = (records["event"] == STEP) & (records["level"] >= WARN) & np.isnan(records["loss"])
        records["loss"][silent & self._usual] = NOT_A_NUMBER
        return not (records["step"] < -1).any()
