"""What a status line tells of a job, as the API answers it."""

from __future__ import annotations

from isengard.api.schemas.jobs import CauseView, FailedAlike, FirstError, Summary
from isengard.core.clock import moment_of
from isengard.diagnostics import summary


def summary_view(found: summary.Summary, failed_alike: FailedAlike | None) -> Summary:
    """A summary as the API shows it."""
    return Summary.model_validate(
        {
            **{name: getattr(found, name) for name in summary.Summary.__slots__},
            "first_error": _first_error(found),
            "failed_alike": failed_alike,
            "cause": CauseView.model_validate(found.cause) if found.cause else None,
        }
    )


def _first_error(found: summary.Summary) -> FirstError | None:
    entry = found.first_error
    if entry is None:
        return None
    return FirstError(
        seq=entry.seq,
        timestamp=moment_of(entry.ts),
        event=entry.event,
        message=entry.msg,
        error_type=entry.fields.get("error_type"),
        stack=found.stack,
    )
