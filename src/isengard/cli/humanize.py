"""Figures in words: durations, losses, sizes, moments. Pure functions."""

from __future__ import annotations

from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def span(seconds: float | None) -> str:
    """A duration: ``8 s``, ``2 min 05 s``, ``3 h 20 min``, ``2 d 4 h``; a dash for an unknown one."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def ago(moment: datetime) -> str:
    """How long ago `moment` (aware) was."""
    return f"{span((datetime.now(UTC) - moment).total_seconds())} ago"


def figure(value: float | None) -> str:
    """A loss or rate with four telling digits; a dash for an unknown one."""
    return "–" if value is None else f"{value:.4g}"


def size(count: int) -> str:
    """Bytes: ``412 B``, ``3.4 MiB``."""
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
