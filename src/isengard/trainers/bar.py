"""Reads one frame of a tqdm progress bar. Knows nothing of what the bar counts.

Shapes, from tqdm's default ``bar_format``:
``desc:  25%|██▌  | 3/12 [00:00<00:01,  9.10it/s, lr: 1e-04 loss: 1.2e+00]``, and without a total
``desc: 3it [00:00,  9.10it/s]``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NUMBER = r"(?:\d{1,18}(?:\.\d{0,64})?|\.\d{1,64})"  # what `float` takes, and no more digits than a counter has
_COUNT = rf"-?{_NUMBER}[kMGTP]?(?:iB|B)?"
_RATE = rf"(?P<rate>{_NUMBER}[kMGTP]?|\?)\s*(?P<unit>\S+?/\S+?)(?:,\s*(?P<postfix>.*?))?\]\s*"
_FRAME = re.compile(
    rf"(?:(?P<desc>.*?):\s+)?(?P<pct>\d{{1,3}})%\|[^|]*\|\s*(?P<n>{_COUNT})/(?P<total>{_COUNT})\s*"
    rf"\[(?P<elapsed>[\d:]+)<(?P<left>[\d:]+|\?),\s*{_RATE}"
)
_OPEN_FRAME = re.compile(
    rf"(?:(?P<desc>.*?):\s+)?(?P<n>{_NUMBER}[kMGTP]?)(?:it|iB|B)\s*\[(?P<elapsed>[\d:]+),\s*{_RATE}"
)
_FIGURE = re.compile(rf"([A-Za-z_][\w/.-]*)\s*[:=]\s*(-?{_NUMBER}(?:e[+-]?\d{{1,4}})?|nan|-?inf)(?!\.?\w)")
_SCALE = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}


@dataclass(frozen=True, slots=True)
class Frame:
    """One redraw of a bar.

    Attributes:
        desc: What stands before the bar, without the colon.
        pct: 0 to 100; None for a bar that does not know its end.
        n: How many are done; None when the bar counts in thousands or bytes.
        rate: Items a second; None when tqdm does not know yet.
        figures: Numbers named in the postfix (``lr``, ``loss``), as printed.
        bytes_done: For a bar that counts bytes, how many are done, as precise as it shows them.
        bytes_total: For a bar that counts bytes, how many there are.
    """

    desc: str
    pct: float | None
    n: int | None
    total: int | None
    rate: float | None
    figures: dict[str, str] = field(default_factory=dict)
    bytes_done: int | None = None
    bytes_total: int | None = None


def parse(text: str) -> Frame | None:
    """The frame in `text`, or None if `text` is not a whole frame."""
    match = _FRAME.fullmatch(text.strip()) or _OPEN_FRAME.fullmatch(text.strip())
    if match is None:
        return None
    parts = match.groupdict()
    counts_bytes = parts["unit"].endswith("B/s")
    total = parts.get("total")
    return Frame(
        desc=(parts["desc"] or "").strip(),
        pct=min(100.0, float(parts["pct"])) if parts.get("pct") else None,
        n=_count(parts["n"]),
        total=_count(total) if total else None,
        rate=_rate(parts["rate"], parts["unit"]),
        figures=dict(_FIGURE.findall(parts["postfix"] or "")),
        bytes_done=_amount(parts["n"]) if counts_bytes else None,
        bytes_total=_amount(total) if counts_bytes and total else None,
    )


def _count(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _amount(text: str) -> int:
    return int(_scaled(text.removesuffix("B").removesuffix("i")))


def _rate(figure: str, unit: str) -> float | None:
    value = None if figure == "?" else _scaled(figure)
    if value is not None and unit.startswith("s/"):
        return 1 / value if value else None
    return value


def _scaled(text: str) -> float:
    return float(text.rstrip("kMGTP")) * _SCALE.get(text[-1:], 1.0)
