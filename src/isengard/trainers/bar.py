"""Reads one frame of a tqdm progress bar. Knows nothing of what the bar counts.

Shape, from tqdm's default ``bar_format``: ``desc:  25%|██▌  | 3/12 [00:00<00:01,  9.10it/s, lr: 1e-04 loss: 1.2e+00]``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_FRAME = re.compile(
    r"(?:(?P<desc>.*?):\s+)?(?P<pct>\d{1,3})%\|[^|]*\|\s*(?P<n>[\d.]+[kMGT]?)/(?P<total>[\d.]+[kMGT]?)\s*"
    r"\[(?P<elapsed>[\d:]+)<(?P<left>[\d:]+|\?),\s*(?P<rate>[\d.]+|\?)\s*(?P<unit>\S+?/\S+?)(?:,\s*(?P<postfix>.*?))?\]\s*"
)
_FIGURE = re.compile(r"([A-Za-z_][\w/.-]*)\s*[:=]\s*(-?[\d.]+(?:e[+-]?\d+)?|nan|-?inf)\b")


@dataclass(frozen=True, slots=True)
class Frame:
    """One redraw of a bar.

    Attributes:
        desc: What stands before the bar, without the colon.
        pct: 0 to 100.
        n: How many are done; None when the bar counts in thousands or bytes.
        rate: Items a second; None when tqdm does not know yet.
        figures: Numbers named in the postfix (``lr``, ``loss``), as printed.
    """

    desc: str
    pct: float
    n: int | None
    total: int | None
    rate: float | None
    figures: dict[str, str] = field(default_factory=dict)


def parse(text: str) -> Frame | None:
    """The frame in `text`, or None if `text` is not a whole frame."""
    match = _FRAME.fullmatch(text.strip())
    if match is None:
        return None
    return Frame(
        desc=(match["desc"] or "").strip(),
        pct=min(100.0, float(match["pct"])),
        n=_count(match["n"]),
        total=_count(match["total"]),
        rate=_rate(match["rate"], match["unit"]),
        figures=dict(_FIGURE.findall(match["postfix"] or "")),
    )


def _count(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _rate(figure: str, unit: str) -> float | None:
    if figure == "?":
        return None
    value = float(figure)
    if unit.startswith("s/"):
        return 1 / value if value else None
    return value
