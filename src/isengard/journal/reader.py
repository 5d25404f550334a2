"""Reads a journal by position, by filter, by step. Never writes to it; works while somebody else does."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from isengard.core.paths import JobPaths
from isengard.events.models import EventName
from isengard.journal.cursor import JournalCursor
from isengard.journal.entry import Entry

Order = Literal["asc", "desc"]


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
    """Answers questions about one job's journal; safe to share between threads. A missing journal reads as empty."""

    def __init__(self, paths: JobPaths) -> None:
        self._paths = paths

    @property
    def paths(self) -> JobPaths:
        """The job's folder."""
        return self._paths

    def lines(self, after: int = 0, limit: int = 1000) -> list[bytes]:
        """At most `limit` raw lines behind line number `after`, without line feeds."""
        found: list[bytes] = []
        with JournalCursor(self._paths, after) as cursor:
            while len(found) < limit and (lines := cursor.read_new()):
                found.extend(lines)
        return found[:limit]

    def read(self, after: int = 0, limit: int = 1000) -> list[Entry]:
        """At most `limit` entries behind line number `after`."""
        return [Entry.read(line, after + number) for number, line in enumerate(self.lines(after, limit), 1)]

    def page(
        self,
        levels: Collection[str] = (),
        events: Collection[str] = (),
        search: str = "",
        limit: int = 100,
        offset: int = 0,
        order: Order = "asc",
    ) -> Page:
        """A page of the lines that pass all filters; an empty filter lets everything pass."""
        found = [
            entry
            for entry in self._all()
            if (not levels or entry.level in levels)
            and (not events or entry.event in events)
            and (not search or search.lower() in f"{entry.event}\n{entry.msg}\n{entry.fields}".lower())
        ]
        if order == "desc":
            found.reverse()
        return Page(found[offset : offset + limit], len(found), offset + limit < len(found))

    def last_seq(self) -> int:
        """Number of the last whole line, 0 if there is none."""
        return sum(1 for _ in self._all())

    def first_error(self) -> Entry | None:
        """The first line of level ERROR in the latest attempt."""
        first = None
        for entry in self._all():
            if entry.event == EventName.JOB_RESUMED:
                first = None
            elif first is None and entry.level == "ERROR":
                first = entry
        return first

    def seq_at_step(self, step: int) -> int | None:
        """Number of the first line of the latest attempt that tells of `step` or a later one."""
        for entry in self._all():
            if entry.event == EventName.TRAINING_STEP and entry.fields.get("step", -1) >= step:
                return entry.seq
        return None

    def _all(self) -> Iterable[Entry]:
        after = 0
        while entries := self.read(after):
            yield from entries
            after += len(entries)
