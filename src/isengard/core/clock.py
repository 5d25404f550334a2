"""The one spelling of a moment: UTC, RFC 3339 with six decimals and a ``Z``."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> str:
    """Now, as ``2026-01-02T03:04:05.678901Z``."""
    return format_utc(datetime.now(UTC))


def format_utc(moment: datetime) -> str:
    """`moment` (aware) as ``2026-01-02T03:04:05.678901Z``."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds")  # a tenth of what strftime takes
    return f"{text.removesuffix('+00:00')}Z"


UNKNOWN = "1970-01-01T00:00:00.000000Z"
"""Stands where a line does not say when it was."""


def parse_utc(text: str) -> datetime:
    """The inverse of `format_utc`; raises ValueError for other text."""
    return datetime.fromisoformat(text)


def moment_of(text: str) -> datetime:
    """The moment that a line which may be damaged names; `UNKNOWN` where it names none."""
    try:
        return parse_utc(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return parse_utc(UNKNOWN)
