"""Which lines have one of some levels and one of some events. Answers stay and grow with the journal."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isengard.journal.columns import KIND_LEVEL_BITS, Growing
from isengard.journal.entry import Entry
from isengard.journal.index import Snapshot
from isengard.journal.records import EVENTS, LEVELS

Positions = npt.NDArray[np.int32]
"""Rows in ascending order."""

_KEPT = 32


@dataclass(frozen=True, slots=True)
class Kinds:
    """A filter by level and event; an empty set lets everything pass."""

    levels: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()

    @classmethod
    def of(cls, levels: Collection[str], events: Collection[str]) -> Kinds:
        """The filter for these levels and events (plain or enumeration members)."""
        return cls(frozenset(map(str, levels)), frozenset(map(str, events)))

    def __bool__(self) -> bool:
        return bool(self.levels or self.events)

    def table(self) -> npt.NDArray[np.bool_]:
        """For each kind of line whether it can pass; lines with an event or level without a code have to be read."""
        levels = {LEVELS.get(name, 0) for name in self.levels} or set(range(1 << KIND_LEVEL_BITS))
        events = {EVENTS.get(name, 0) for name in self.events} or set(range(256 >> KIND_LEVEL_BITS))
        table = np.zeros(256, np.bool_)
        table[[level | event << KIND_LEVEL_BITS for level in levels for event in events]] = True
        return table

    def is_told_by_kind(self) -> bool:
        """Whether every name has a code, so that a line's kind decides."""
        return self.levels <= LEVELS.keys() and self.events <= EVENTS.keys()

    def passes(self, entry: Entry) -> bool:
        """Whether the entry itself passes."""
        return (not self.levels or entry.level in self.levels) and (not self.events or entry.event in self.events)


class _Answer:
    """The lines that pass one filter, up to a line."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._table = kinds.table()
        self._positions = Growing(np.int32)
        self._seen = 0

    def upto(self, snapshot: Snapshot) -> Positions:
        if self._seen < len(snapshot):
            fresh = np.flatnonzero(self._table[snapshot.rows.kind[self._seen :]]) + self._seen
            if not self._kinds.is_told_by_kind():
                fresh = self._read(snapshot, fresh)
            self._positions.extend(fresh)
            self._seen = len(snapshot)
        positions: Positions = self._positions.view()
        return positions[: np.searchsorted(positions, len(snapshot))]

    def _read(self, snapshot: Snapshot, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Those whose line says that they pass."""
        entries = ((row, Entry.read(snapshot.line(row), row + 1)) for row in rows.tolist())
        return np.array([row for row, entry in entries if self._kinds.passes(entry)], np.int32)


class Filters:
    """The answers to the filters asked for last. Not to be shared between threads without a lock."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[int, Kinds], _Answer] = OrderedDict()

    def positions(self, snapshot: Snapshot, kinds: Kinds) -> Positions:
        """The rows that pass."""
        key = snapshot.generation, kinds
        if key not in self._answers:
            self._answers[key] = _Answer(kinds)
            if len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        return self._answers[key].upto(snapshot)
