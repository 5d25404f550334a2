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
_LEVEL_BITS = (1 << KIND_LEVEL_BITS) - 1
_PIECE = 1 << 17
"""So many lines are looked at together: what comes of them stays in the processor's cache."""


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

    def among(self, kinds: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_] | None:
        """Which lines of these kinds can pass, None if all can; lines whose level or event has no code have to be read.

        Comparing whole arrays takes a tenth of looking each kind up in a table.
        """
        levels = {LEVELS.get(name, 0) for name in self.levels}
        events = {EVENTS.get(name, 0) for name in self.events}
        by_level = _one_of(kinds & np.uint8(_LEVEL_BITS), levels) if levels else None
        by_event = _one_of(kinds >> np.uint8(KIND_LEVEL_BITS), events) if events else None
        if by_level is None or by_event is None:
            return by_event if by_level is None else by_level
        return by_level & by_event

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
        self._positions = Growing(np.int32)
        self._seen = 0

    def upto(self, snapshot: Snapshot) -> Positions:
        if self._seen < len(snapshot):
            every = snapshot.rows.kind
            fresh = np.concatenate([_rows(self._kinds, every, at) for at in range(self._seen, len(every), _PIECE)])
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


def _rows(kinds: Kinds, every: npt.NDArray[np.uint8], first: int) -> Positions:
    """The rows that can pass of the piece that begins with row `first`."""
    piece = every[first : first + _PIECE]
    passing = kinds.among(piece)
    if passing is None:
        return np.arange(first, first + len(piece), dtype=np.int32)
    rows: Positions = np.flatnonzero(passing).astype(np.int32)
    rows += np.int32(first)
    return rows


def _one_of(values: npt.NDArray[np.uint8], codes: set[int]) -> npt.NDArray[np.bool_]:
    """Which values are one of `codes`."""
    first, *others = codes
    answer: npt.NDArray[np.bool_] = values == np.uint8(first)
    for code in others:
        answer |= values == np.uint8(code)
    return answer


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
