"""Remembers which stage an observed program is in and says so when it changes. Never decides what a line means."""

from __future__ import annotations

from collections.abc import Iterator

from isengard.events.models import EventName, Level, TrainingProgressEvent, TrainingStage
from isengard.events.reports import Report
from isengard.trainers.bar import Frame


class StageTracker:
    """The stage of one run as its observer knows it; None before the program has said anything."""

    def __init__(self) -> None:
        self.current: TrainingStage | None = None

    def enter(self, stage: TrainingStage, message: str = "") -> Iterator[Report]:
        """The report of a new stage, or nothing when it is the present one."""
        if stage is self.current:
            return
        self.current = stage
        event = TrainingProgressEvent(stage=stage, message=message or None)
        yield Report(EventName.JOB_STAGE, event.to_dict(), message)

    def progress(self, frame: Frame) -> Report:
        """The report of a bar that counts something within the stage."""
        event = TrainingProgressEvent(stage=self.current, phase=frame.desc or None, phase_pct=frame.pct)
        return Report(EventName.JOB_STAGE, event.to_dict(), frame.desc, Level.DEBUG)

    def phase(self, words: str) -> Report:
        """The report of what goes on within the stage, in the program's own words."""
        event = TrainingProgressEvent(stage=self.current, phase=words[:200])
        return Report(EventName.JOB_STAGE, event.to_dict(), words[:200])
