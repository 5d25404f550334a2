"""What a journal says, told by reading all of its lines one after the other: the measure for everything cleverer."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from isengard.events.models import EventName
from isengard.journal import Entry
from isengard.journal.entry import DAMAGED

NaivePoint = tuple[int, int, float | None, int, str]


@dataclass
class NaiveJournal:
    """The lines, without their line feeds."""

    lines: list[bytes] = field(default_factory=list)

    def data(self) -> bytes:
        """The file."""
        return b"".join(each + b"\n" for each in self.lines)

    def entry(self, seq: int) -> Entry:
        """The entry of a line; what it is numbered by itself does not count."""
        return Entry.read(self.lines[seq - 1], seq)

    def is_whole(self, seq: int) -> bool:
        """Whether it can be read."""
        return self.entry(seq).event != DAMAGED

    def passing(self, levels: Collection[str], events: Collection[str], text: str) -> list[int]:
        """The numbers of the lines that pass."""
        entries = ((seq, self.entry(seq)) for seq in range(1, len(self.lines) + 1))
        return [
            seq
            for seq, entry in entries
            if (not levels or entry.level in levels)
            and (not events or entry.event in events)
            and self._contains(seq, entry, text.lower())
        ]

    def _contains(self, seq: int, entry: Entry, text: str) -> bool:
        if entry.event == DAMAGED:
            return text in self.lines[seq - 1].decode("utf-8", "replace").lower()
        parts = (entry.event, entry.msg, *_texts(entry.fields))
        return any(text in part.lower() for part in parts)

    def steps(self) -> list[tuple[int, int]]:
        """Number and step of each step line; -1 for one without."""
        entries = ((seq, self.entry(seq)) for seq in range(1, len(self.lines) + 1))
        return [(seq, _step(entry)) for seq, entry in entries if entry.event == EventName.TRAINING_STEP]

    def seq_at_step(self, wanted: int) -> int | None:
        """Where the latest attempt that went through the step reached it."""
        found, before = None, -1
        for seq, step in self.steps():
            if step >= wanted and (before < wanted or (step == wanted and before > step)):
                found = seq
            before = step
        return found

    def first_error(self) -> int | None:
        """The first error behind the last resumption."""
        found = None
        for seq in range(1, len(self.lines) + 1):
            entry = self.entry(seq)
            if entry.event == EventName.JOB_RESUMED:
                found = None
            if entry.level == "ERROR" and found is None:
                found = seq
        return found

    def points(self, key: str) -> list[NaivePoint]:
        """The series of a figure: number, step, value, attempt and time of each point."""
        points: list[NaivePoint] = []
        last = 0
        for seq in range(1, len(self.lines) + 1):
            entry = self.entry(seq)
            value = _value(entry, key)
            own = _step(entry) if entry.event.startswith(("job.", "training.")) else -1
            if value is not None:
                attempt = max(1, _whole(entry.fields.get("attempt"), 2**16 - 1, 0)) if own != -1 or _told(entry) else 1
                points.append((seq, own if own >= 0 else last, None if math.isinf(value) else value, attempt, entry.ts))
            if entry.event == EventName.TRAINING_STEP and own >= 0:
                last = own
        return points


def _told(entry: Entry) -> bool:
    return entry.event.startswith(("job.", "training."))


def _step(entry: Entry) -> int:
    return _whole(entry.fields.get("step"), 2**31 - 1, -1)


def _whole(value: Any, most: int, otherwise: int) -> int:
    return value if type(value) is int and 0 <= value <= most else otherwise


def _value(entry: Entry, key: str) -> float | None:
    """The figure in the line; None if it has none, infinite for one that was not a number."""
    is_step, is_gpu = entry.event == EventName.TRAINING_STEP, entry.event == EventName.GPU_METRICS
    if key in ("loss", "lr"):
        if not is_step:
            return None
        value = entry.fields.get(key)
        if key == "loss" and "loss" in entry.fields and value is None:
            return math.inf
        if _is_number(value):
            return float(value)
        return math.inf if key == "loss" and entry.level in ("WARN", "ERROR") else None
    if not (is_gpu or (is_step and not key.startswith("gpu."))):
        return None
    found = dict(_numbers(entry.fields, ""))
    return found.get(key, found.get(f"metrics.{key}"))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(value: Any, prefix: str) -> Iterator[tuple[str, float]]:
    if _is_number(value):
        yield prefix, float(value)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _numbers(item, f"{prefix}.{name}" if prefix else name)
    elif isinstance(value, list):
        place = "gpu" if prefix == "gpus" else prefix
        for item in value:
            yield from _numbers(item, f"{place}.{item['index']}")
            if item["index"] == 0:
                yield from _numbers(item, place)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
    else:
        yield orjson.dumps(value).decode()
