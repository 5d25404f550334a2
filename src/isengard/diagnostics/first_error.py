"""The first error of a job with its stack, the lines around it and what it means: what to look at when a job failed."""

from __future__ import annotations

from dataclasses import dataclass

from isengard.events.models import EventName
from isengard.journal import Entry, JournalReader
from isengard.trainers.causes import UNKNOWN, Cause, Evidence, diagnose

_LAST_LINES = 50


@dataclass(frozen=True, slots=True)
class FirstError:
    """What went wrong first.

    Attributes:
        entry: The journal line.
        before: The lines before it, oldest first.
        after: The lines after it.
        stack: The traceback, from this line or from the end of the job.
        cause: What it means and what to do about it.
    """

    entry: Entry
    before: list[Entry]
    after: list[Entry]
    stack: str | None
    cause: Cause


def find(reader: JournalReader, *, around: int = 10) -> FirstError | None:
    """The first error of the latest attempt with `around` lines on either side; None where there is none."""
    entry = reader.first_error()
    if entry is None:
        return None
    start = max(0, entry.seq - 1 - around)
    near = reader.read(after=start, limit=entry.seq - start + around)
    failure = _failure(reader, entry)
    return FirstError(
        entry=entry,
        before=[each for each in near if each.seq < entry.seq],
        after=[each for each in near if each.seq > entry.seq],
        stack=entry.fields.get("error_stack") or failure.fields.get("error_stack"),
        cause=_told(failure) or diagnose(_evidence(reader, failure)),
    )


def _failure(reader: JournalReader, first: Entry) -> Entry:
    """The line with which the job failed, which knows most; the first error itself while it has not."""
    failed = reader.page(events=[EventName.JOB_FAILED], limit=1, order="desc").entries
    return failed[0] if failed and failed[0].seq >= first.seq else first


def _told(failure: Entry) -> Cause | None:
    """The cause as the job's last line told it, which knew more; None where it told none or did not know it."""
    told = failure.fields.get("cause")
    if not isinstance(told, dict):
        return None
    try:
        cause = Cause(**{**told, "advice": tuple(map(str, told.get("advice") or ()))})
    except TypeError:  # of another version, or of somebody else's making
        return None
    return None if cause.code == UNKNOWN.code else cause


def _evidence(reader: JournalReader, failure: Entry) -> Evidence:
    output = reader.page(
        events=[EventName.SUBPROCESS_STDOUT, EventName.SUBPROCESS_STDERR], limit=_LAST_LINES, order="desc"
    )
    birth = reader.read(limit=1)
    return Evidence(
        error_type=str(failure.fields.get("error_type") or ""),
        error=str(failure.fields.get("error") or failure.msg),
        stack=str(failure.fields.get("error_stack") or ""),
        last_lines=[entry.msg for entry in reversed(output.entries)],
        config=birth[0].fields.get("config", {}) if birth else {},
    )
