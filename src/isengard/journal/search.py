"""Finds the lines that contain a text, letter case ignored, by looking at raw bytes.

What is searched: event, message and fields (their keys too) as they read, not as JSON spells them: a quote is found as
a quote. What surrounds them in every line (number, time, level, service, ids) is not searched, or a search for
``train`` would find every line of the job ``train-…``. Letters beyond ASCII are found in both cases.
"""

from __future__ import annotations

import os
import sys
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from isengard.journal.columns import KIND_LEVEL_BITS, Growing
from isengard.journal.entry import DAMAGED, Entry
from isengard.journal.filters import Positions
from isengard.journal.index import Snapshot
from isengard.journal.needle import Bytes, Needle, Places
from isengard.journal.records import EVENTS, LEVELS
from isengard.journal.scan_line import EVENT_KEY, FIELDS, LEVEL_AT, MSG_KEY

_PIECE = 1 << 21
_SHARE = 16 << 20
"""So many bytes are worth a thread."""
_THREADS = max(1, min(4, os.cpu_count() or 1))
_KEPT = 8
_MOST_SPELLINGS = 16
_BACKSLASH = 92

_POWERS = np.array([10**n for n in range(1, 19)], np.int64)
_LEVEL_LENGTHS = np.zeros(1 << KIND_LEVEL_BITS, np.int64)
_LEVEL_LENGTHS[list(LEVELS.values())] = [len(name) for name in LEVELS]
_EVENT_LENGTHS = np.zeros(256 >> KIND_LEVEL_BITS, np.int64)
_EVENT_LENGTHS[list(EVENTS.values())] = [len(name) for name in EVENTS]


def spellings(text: str) -> list[bytes]:
    """How `text` may stand in a line: as JSON, ASCII in lower case, other letters in each of their cases."""
    cases = [(char,) if char.isascii() else tuple(dict.fromkeys((char, char.lower(), char.upper()))) for char in text]
    count = 1
    for each in cases:
        count *= len(each)
    if count > _MOST_SPELLINGS:
        words = dict.fromkeys((text, text.lower(), text.upper(), text.title()))
    else:
        words = dict.fromkeys("".join(chars) for chars in product(*cases))
    try:
        return list(dict.fromkeys(orjson.dumps(word)[1:-1].lower() for word in words))
    except TypeError:  # half a surrogate pair: no line can hold it
        return []


class _Answer:
    """The lines that contain one text, up to a line."""

    def __init__(self, text: str) -> None:
        self._spellings = spellings(text)
        self._positions = Growing(np.int32)
        self._seen = 0

    def upto(self, snapshot: Snapshot) -> Positions:
        """Looks at what is new, at a long stretch with several threads: numpy lets them run side by side."""
        if self._seen < len(snapshot) and self._spellings:
            stretches = list(_cut(snapshot, self._seen, len(snapshot), _SHARE, _THREADS))
            look = partial(_look_through, snapshot, self._spellings)
            if len(stretches) == 1:
                found = [look(stretches[0])]
            else:
                with ThreadPoolExecutor(len(stretches), "journal-search") as threads:
                    found = list(threads.map(look, stretches))
            for rows in found:
                self._positions.extend(rows)
        self._seen = max(self._seen, len(snapshot))
        positions: Positions = self._positions.view()
        return positions[: np.searchsorted(positions, len(snapshot))]


def _look_through(snapshot: Snapshot, texts: list[bytes], stretch: tuple[int, int]) -> Positions:
    """The rows of a stretch that have one of the texts where it counts."""
    needles = [Needle(text) for text in texts]
    room = np.empty(2 * _PIECE, np.uint8)
    answer = [np.empty(0, np.int32)]
    for first, last in _cut(snapshot, *stretch, _PIECE):
        start, end = snapshot.start_of(first), snapshot.start_of(last)
        data = room[: end - start] if end - start <= len(room) else np.empty(end - start, np.uint8)
        snapshot.read_into(data, start)
        found = [_rows_with(snapshot, data, needle, first, last) for needle in needles]
        answer.append(found[0] if len(found) == 1 else np.unique(np.concatenate(found)))
    return np.concatenate(answer)


def _cut(snapshot: Snapshot, first: int, last: int, length: int, most: int = sys.maxsize) -> Iterator[tuple[int, int]]:
    """The rows from `first` up to `last` in pieces of about `length` bytes; longer ones where there would be more than
    `most`.
    """
    length = max(length, (snapshot.start_of(last) - snapshot.start_of(first)) // most + 1)
    while first < last:
        beyond = snapshot.start_of(first) + length
        middle = max(first + 1, int(np.searchsorted(snapshot.rows.offset[:last], np.uint64(beyond))))
        yield first, middle
        first = middle


def _rows_with(snapshot: Snapshot, data: Bytes, needle: Needle, first: int, last: int) -> Positions:
    """The rows from `first` up to `last`, whose lines are `data`, that have `needle` where it counts."""
    places = needle.places(data)
    if not len(places):
        return np.empty(0, np.int32)
    begin = snapshot.start_of(first)
    starts = snapshot.rows.offset[first:last].astype(np.int64) - begin
    row = np.searchsorted(starts, places, "right") - 1
    counts = _is_searched(snapshot, first + row, places - starts[row], len(needle)) & ~_is_escaped(data, places)
    rows: Positions = (first + np.unique(row[counts])).astype(np.int32)
    odd = snapshot.rows.body[rows] == 0
    if not odd.any():
        return rows
    sure = [
        not is_odd or _odd_line_has(snapshot, each, needle) for each, is_odd in zip(rows.tolist(), odd, strict=True)
    ]
    return rows[sure]


def _odd_line_has(snapshot: Snapshot, row: int, needle: Needle) -> bool:
    """Whether a line whose parts do not stand where the writer puts them (a newer event, other keys) has the text."""
    entry = Entry.read(snapshot.line(row), row + 1)
    if entry.event == DAMAGED:
        return True  # nothing is known of its parts
    for part in (entry.event, entry.msg, entry.fields):
        data = np.frombuffer(orjson.dumps(part), np.uint8)
        if not _is_escaped(data, needle.places(data)).all():
            return True
    return False


def _is_searched(snapshot: Snapshot, rows: Places, at: Places, length: int) -> npt.NDArray[np.bool_]:
    """Whether what begins at `at` in the lines lies in the event, the message or the fields."""
    kind, body, fields = snapshot.rows.kind[rows], snapshot.rows.body[rows], snapshot.rows.fields[rows]
    digits = 1 + np.searchsorted(_POWERS, rows + 1, "right")
    level_length = _LEVEL_LENGTHS[kind & ((1 << KIND_LEVEL_BITS) - 1)]
    event_at = LEVEL_AT + digits + level_length + len(EVENT_KEY)
    event_end = event_at + _EVENT_LENGTHS[kind >> KIND_LEVEL_BITS]
    end = at + length
    in_event: npt.NDArray[Any] = (at >= event_at) & (end <= event_end)
    in_message = (at >= event_end + len(MSG_KEY)) & (end <= body)
    in_fields = at >= fields + np.uint32(len(FIELDS))
    searched: npt.NDArray[np.bool_] = in_event | in_message | in_fields
    searched |= body == 0  # a line with its parts elsewhere is looked at again
    return searched


def _is_escaped(data: Bytes, places: Places) -> npt.NDArray[np.bool_]:
    """Whether the first byte is the second half of an escape: behind an odd number of backslashes."""
    odd = np.zeros(len(places), np.bool_)
    counting = np.flatnonzero((places > 0) & (data[places - 1] == _BACKSLASH))
    before = places[counting] - 1
    while len(counting):
        odd[counting] = ~odd[counting]
        before = before - 1
        more = (before >= 0) & (data[before] == _BACKSLASH)
        counting, before = counting[more], before[more]
    return odd


class Searches:
    """The answers to the texts searched for last. Not to be shared between threads without a lock."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[int, str], _Answer] = OrderedDict()

    def positions(self, snapshot: Snapshot, text: str) -> Positions:
        """The rows whose lines contain `text`."""
        key = snapshot.generation, text
        if key not in self._answers:
            self._answers[key] = _Answer(text)
            if len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        return self._answers[key].upto(snapshot)
