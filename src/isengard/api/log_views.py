"""Pages of a journal and places in it, as the API answers them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from isengard.api.schemas.jobs import LogEntry, LogPage, LogPlace
from isengard.core.clock import format_utc, moment_of
from isengard.core.errors import InvalidInput, NotFound
from isengard.events.models import Level
from isengard.journal import Entry, JournalReader

_MAX_EVENTS = 50
_LEVELS = frozenset(Level)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a page is cut from; an empty one leaves everything."""

    levels: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    search: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which line is looked for; exactly one is to be given."""

    step: int | None = None
    first_error: bool = False
    ts: datetime | None = None
    seq: int | None = None

    def check(self) -> None:
        """Raise `InvalidInput` unless exactly one is given."""
        given = [self.step is not None, self.first_error, self.ts is not None, self.seq is not None]
        if sum(given) != 1:
            raise InvalidInput("give exactly one of step, first_error, ts and seq", field="step")


def parse_levels(text: str | None) -> frozenset[str]:
    """Levels from a comma list in any case; raises `InvalidInput` naming an unknown one."""
    names = {"WARN" if name == "WARNING" else name for name in _split((text or "").upper())}
    for name in sorted(names - set(Level)):
        raise InvalidInput(f"{name[:40]!r} is no level; there are {', '.join(Level)}", field="level")
    return frozenset(names)


def parse_events(text: str | None) -> frozenset[str]:
    """Events from a comma list; one that never occurs leaves nothing, for journals may hold events of other makers."""
    names = _split(text or "")
    if len(names) > _MAX_EVENTS:
        raise InvalidInput(f"at most {_MAX_EVENTS} events can be asked for at once", field="event")
    return frozenset(names)


def page(reader: JournalReader, filters: Filters, limit: int, offset: int, order: Literal["asc", "desc"]) -> LogPage:
    """A page of what the filters leave."""
    found = reader.page(filters.levels, filters.events, filters.search, limit, offset, order)
    entries = [log_entry(entry) for entry in found.entries]
    return LogPage(job_id=reader.paths.job_id, entries=entries, total=found.total, has_more=found.has_more)


def log_entry(entry: Entry) -> LogEntry:
    """A line as the API shows it."""
    return LogEntry.model_validate(
        {
            "seq": entry.seq,
            "timestamp": moment_of(entry.ts),
            "level": entry.level if entry.level in _LEVELS else "INFO",  # one that a newer version knows
            "event": entry.event,
            "message": entry.msg,
            "service": entry.service,
            "fields": entry.fields,
        }
    )


def locate(reader: JournalReader, filters: Filters, wanted: Wanted) -> LogPlace:
    """The wanted line, or the next one that the filters leave, and its offset among those.

    Raises:
        InvalidInput: Not exactly one thing is wanted.
        NotFound: There is no such line.
    """
    wanted.check()
    seq = _seq(reader, wanted)
    nothing = NotFound(f"job {reader.paths.job_id} has no such line", field="seq")
    if seq is None:
        raise nothing
    offset = reader.offset_of(seq, filters.levels, filters.events, filters.search)
    found = reader.page(filters.levels, filters.events, filters.search, limit=1, offset=offset).entries
    if not found:
        raise nothing
    line = found[0]
    return LogPlace(
        job_id=reader.paths.job_id, seq=line.seq, offset=offset, timestamp=moment_of(line.ts), event=line.event
    )


def _seq(reader: JournalReader, wanted: Wanted) -> int | None:
    if wanted.first_error:
        error = reader.first_error()
        return error.seq if error else None
    if wanted.step is not None:
        return reader.seq_at_step(wanted.step)
    if wanted.ts is None:
        return wanted.seq
    if wanted.ts.tzinfo is None:
        raise InvalidInput("ts needs a time zone, such as a Z at its end", field="ts")
    try:
        return reader.seq_at_time(format_utc(wanted.ts))
    except OverflowError:  # the first or last day there is, in a zone where UTC has another
        raise InvalidInput("ts lies outside of the years 1 to 9999", field="ts") from None


def _split(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}
