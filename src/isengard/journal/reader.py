"""Reads a journal by position, by filter, by text, by step. Never writes to it; works while somebody else does.

Keep a reader for as long as its journal is asked about (`readers.py`): it holds the index and the answers to what was
asked before, and looks only at what is new.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from isengard.core.paths import JobPaths
from isengard.events.models import EventName, Level
from isengard.journal.entry import Entry
from isengard.journal.field_columns import STEPS, Figures
from isengard.journal.filters import Filters, Kinds, Positions
from isengard.journal.index import JournalIndex, Snapshot
from isengard.journal.search import Searches

Order = Literal["asc", "desc"]

_ERRORS = Kinds.of((Level.ERROR,), ())
_RESUMPTIONS = Kinds.of((), (EventName.JOB_RESUMED,))


@dataclass(frozen=True, slots=True)
class Page:
    """A page of what the filters leave.

    Attributes:
        total: How many lines the filters leave in all.
        has_more: Whether there are more behind this page, in its order.
    """

    entries: list[Entry]
    total: int
    has_more: bool


class JournalReader:
    """Answers questions about one job's journal; safe to share between threads. A missing journal reads as empty.

    Every method raises OSError if the journal cannot be read.
    """

    def __init__(self, paths: JobPaths) -> None:
        self._paths = paths
        self._index = JournalIndex(paths)
        self._filters = Filters()
        self._searches = Searches()
        self._figures = Figures()
        self._answering = threading.Lock()

    @property
    def paths(self) -> JobPaths:
        """The job's folder."""
        return self._paths

    @property
    def known_lines(self) -> int:
        """How many lines the reader has taken in so far, which is what it costs in memory; reads nothing."""
        return self._index.known_lines

    def snapshot(self) -> Snapshot:
        """The index of the journal as it is now."""
        return self._index.snapshot()

    def last_seq(self) -> int:
        """Number of the last whole line, 0 if there is none."""
        return len(self.snapshot())

    def lines(self, after: int = 0, limit: int = 1000) -> list[bytes]:
        """At most `limit` raw lines behind line number `after`, without line feeds."""
        snapshot = self.snapshot()
        return snapshot.lines(after, min(len(snapshot), after + limit))

    def read(self, after: int = 0, limit: int = 1000) -> list[Entry]:
        """At most `limit` entries behind line number `after`."""
        return [Entry.read(line, seq) for seq, line in enumerate(self.lines(after, limit), after + 1)]

    def at(self, rows: Sequence[int], snapshot: Snapshot | None = None) -> list[Entry]:
        """The entries of some rows (row n is line n + 1), which ascend."""
        lines = (snapshot or self.snapshot()).lines_at(rows)
        return [Entry.read(line, row + 1) for row, line in zip(rows, lines, strict=True)]

    def page(
        self,
        levels: Collection[str] = (),
        events: Collection[str] = (),
        search: str = "",
        limit: int = 100,
        offset: int = 0,
        order: Order = "asc",
    ) -> Page:
        """A page of the lines that pass all filters; an empty filter lets everything pass.

        Args:
            search: A text that event, message or fields contain, letter case ignored; see `search.py`.
            offset: How many of the lines that pass come before the page.
        """
        snapshot = self.snapshot()
        passing = self._passing(snapshot, Kinds.of(levels, events), search)
        total = len(snapshot) if passing is None else len(passing)
        first, last = min(offset, total), min(offset + limit, total)
        if order == "desc":
            first, last = total - last, total - first
        if passing is None:
            entries = [Entry.read(line, seq) for seq, line in enumerate(snapshot.lines(first, last), first + 1)]
        else:
            entries = self.at(passing[first:last].tolist(), snapshot)
        if order == "desc":
            entries.reverse()
        return Page(entries, total, offset + limit < total)

    def _passing(self, snapshot: Snapshot, kinds: Kinds, search: str) -> Positions | None:
        """The rows that pass; None if there is no filter."""
        with self._answering:
            if not search:
                return self._filters.positions(snapshot, kinds) if kinds else None
            found = self._searches.positions(snapshot, search)
            if not kinds:
                return found
            if kinds.is_told_by_kind():
                return found[kinds.among(snapshot.rows.kind[found])]
            return np.intersect1d(found, self._filters.positions(snapshot, kinds), assume_unique=True)

    def rows(
        self, levels: Collection[str] = (), events: Collection[str] = (), snapshot: Snapshot | None = None
    ) -> Positions:
        """The rows that have one of the levels and one of the events, ascending."""
        with self._answering:
            return self._filters.positions(snapshot or self.snapshot(), Kinds.of(levels, events))

    def offset_of(self, seq: int, levels: Collection[str] = (), events: Collection[str] = (), search: str = "") -> int:
        """How many lines before number `seq` pass the filters: the offset at which `page` finds it or what follows."""
        passing = self._passing(self.snapshot(), Kinds.of(levels, events), search)
        return seq - 1 if passing is None else int(np.searchsorted(passing, seq - 1))

    def figure(self, snapshot: Snapshot, name: str) -> tuple[Positions, npt.NDArray[np.float64]]:
        """The rows that have a figure of this name, ascending, and its values; not finite where it was not a number."""
        with self._answering:
            if name not in ("loss", "lr"):
                return self._figures.column(snapshot, self._filters, name)
            rows = self._filters.positions(snapshot, STEPS)
        values = getattr(snapshot.rows, name)[rows]
        there = ~np.isnan(values)
        return rows[there], values[there]

    def figure_names(self, snapshot: Snapshot) -> list[str]:
        """The names of figures that this journal has, as far as a sample of its lines shows them."""
        with self._answering:
            return self._figures.names(snapshot, self._filters)

    def first_error(self) -> Entry | None:
        """The first line of level ERROR in the latest attempt."""
        snapshot = self.snapshot()
        with self._answering:
            resumptions = self._filters.positions(snapshot, _RESUMPTIONS)
            errors = self._filters.positions(snapshot, _ERRORS)
        begin = int(resumptions[-1]) if len(resumptions) else 0
        place = int(np.searchsorted(errors, begin))
        return self.at([int(errors[place])], snapshot)[0] if place < len(errors) else None

    def seq_at_step(self, step: int) -> int | None:
        """Number of the line where the latest attempt that went through `step` reached it; None if none got there."""
        snapshot = self.snapshot()
        with self._answering:
            rows = self._filters.positions(snapshot, STEPS)
        steps = snapshot.rows.step[rows]
        if not len(steps):
            return None
        before = np.concatenate(([-1], steps[:-1]))
        reached = np.flatnonzero((steps >= step) & ((before < step) | ((steps == step) & (before > step))))
        return int(rows[reached[-1]]) + 1 if len(reached) else None

    def seq_at_time(self, ts: str) -> int | None:
        """Number of the first line not before `ts` (as in the journal); None if all are. Where the clock was set back
        it finds one of the lines that answer.
        """
        snapshot = self.snapshot()
        low, high = 0, len(snapshot)
        while low < high:
            middle = (low + high) // 2
            if Entry.read(snapshot.line(middle), middle + 1).ts < ts:
                low = middle + 1
            else:
                high = middle
        return low + 1 if low < len(snapshot) else None
