"""Remembers which stage an observed program is in and says so when it changes. Never decides what a line means.

What goes on inside a stage has a name that begins with one of the eight words of `Phase`, so that a page can tell a
download from a training whoever trains.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

from isengard.events.models import EventName, Level, TrainingProgressEvent, TrainingStage
from isengard.events.reports import Report
from isengard.trainers.bar import Frame

_EVERY_S = 0.5


class Phase(StrEnum):
    """The first word of a phase."""

    LOADING = "loading"
    DOWNLOADING = "downloading"
    QUANTISING = "quantising"
    CACHING = "caching"
    TRAINING = "training"
    SAMPLING = "sampling"
    SAVING = "saving"
    EXPORTING = "exporting"


class StageTracker:
    """The stage of one run as its observer knows it; None before the program has said anything.

    Args:
        clock: Seconds on a monotonic clock; of a bar's many redraws a few a second are told.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.current: TrainingStage | None = None
        self._clock = clock
        self._phase = ""
        self._pct: float | None = None
        self._told_at = -_EVERY_S

    def enter(self, stage: TrainingStage, message: str = "") -> Iterator[Report]:
        """The report of a new stage, or nothing when it is the present one."""
        if stage is self.current:
            return
        self.current = stage
        self._phase = ""
        event = TrainingProgressEvent(stage=stage, message=message or None)
        yield Report(EventName.JOB_STAGE, event.to_dict(), message)

    def phase(self, phase: Phase, what: str = "", words: str = "") -> Iterator[Report]:
        """The report that `phase` begins within the stage, or nothing while the same goes on.

        Args:
            what: What is loaded, cached, … in a few words.
            words: The program's own line, for the message.
        """
        name = f"{phase} {what}".strip()[:200]
        if name == self._phase:
            return
        self._phase, self._pct = name, None
        event = TrainingProgressEvent(stage=self.current, phase=name)
        yield Report(EventName.JOB_STAGE, event.to_dict(), (words or name)[:200])

    def progress(self, phase: Phase, what: str, frame: Frame) -> Iterator[Report]:
        """The report of a bar that counts something within the stage, as often as a person can follow it."""
        name = f"{phase} {what}".strip()[:200]
        now = self._clock()
        begun, over = name != self._phase, frame.pct == 100.0 and self._pct != 100.0
        if not begun and not over and (frame.pct == self._pct or now - self._told_at < _EVERY_S):
            return
        self._phase, self._pct, self._told_at = name, frame.pct, now
        event = TrainingProgressEvent(stage=self.current, phase=name, phase_pct=frame.pct)
        yield Report(EventName.JOB_STAGE, event.to_dict() | _bytes(frame), name, Level.DEBUG)


def bar_phase(desc: str, *, counts_bytes: bool) -> tuple[Phase, str]:
    """What a bar outside of training counts, by its words: the phase, and what of."""
    lower = desc.lower()
    if counts_bytes or lower.startswith(("fetching", "downloading")):
        return Phase.DOWNLOADING, _without(desc, "fetching", "downloading")
    if "quanti" in lower:
        return Phase.QUANTISING, _without(desc, "attaching", "quantizing", "quantising", "quantization")
    if "cach" in lower or "encoding" in lower:
        return Phase.CACHING, _without(desc, "caching")
    return Phase.LOADING, _without(desc, "loading")


def _without(desc: str, *first_words: str) -> str:
    words = desc.rstrip(". ").split()
    while words and words[0].lower() in first_words:
        words.pop(0)
    return " ".join(words)


def _bytes(frame: Frame) -> dict[str, Any]:
    known = {"bytes": frame.bytes_done, "bytes_total": frame.bytes_total}
    return {name: value for name, value in known.items() if value is not None}
