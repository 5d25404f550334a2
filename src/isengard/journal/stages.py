"""The stages that a job went through, with what they took and how far the present one is, told from its journal.

A training that makes samples goes back and forth between two stages a hundred times: what was entered more than once in
an attempt is one stage with the sum of its times, so that the account stays as short as the list of stages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from isengard.core.clock import parse_utc
from isengard.events.models import TERMINAL_EVENTS, EventName, TrainingStage
from isengard.journal.entry import Entry
from isengard.journal.reader import JournalReader

_BY_EVENT = {
    EventName.JOB_CREATED: TrainingStage.QUEUED,
    EventName.JOB_QUEUED: TrainingStage.QUEUED,
    EventName.JOB_RESUMED: TrainingStage.QUEUED,
    EventName.JOB_COMPLETED: TrainingStage.COMPLETED,
    EventName.JOB_FAILED: TrainingStage.FAILED,
    EventName.JOB_CANCELLED: TrainingStage.CANCELLED,
}
_TELLING = (*_BY_EVENT, EventName.JOB_STARTED, EventName.JOB_STAGE)
_WITHOUT_PHASES = frozenset({TrainingStage.TRAINING, TrainingStage.SAMPLING})
"""Steps end a phase here, and nothing else does: what it took would take reading all of them."""


@dataclass(slots=True)
class Part:
    """A stage, or a phase within one.

    Attributes:
        name: A `TrainingStage`, or the phase's own words.
        seq: Number of the first line that told of it.
        seconds: What it took so far, without the time since `since`.
        since: When it was entered the last time, while it is the present one; None once it is over.
        times: How often it was entered.
        message: The last words about it: ``5 of 12 images captioned``.
        pct: 0 to 100, as it was told last; None where nobody counts.
    """

    name: str
    attempt: int
    seq: int
    began: str
    seconds: float = 0.0
    since: datetime | None = None
    times: int = 0
    message: str = ""
    pct: float | None = None
    phases: list[Part] = field(default_factory=list)

    def enter(self, moment: datetime) -> None:
        """It begins, or goes on, at `moment`."""
        if self.since is None:
            self.since, self.times = moment, self.times + 1

    def leave(self, moment: datetime) -> None:
        """Something else begins at `moment`."""
        if self.since is not None:
            self.seconds += max(0.0, (moment - self.since).total_seconds())
            self.since = None
        for phase in self.phases:
            phase.leave(moment)


def stages(reader: JournalReader) -> list[Part]:
    """The job's stages, by attempt in the order in which they were entered first. Raises `OSError`."""
    snapshot = reader.snapshot()
    rows = reader.rows(events=_TELLING, snapshot=snapshot)
    return account(reader.at(rows.tolist(), snapshot))


def account(entries: Iterable[Entry]) -> list[Part]:
    """The same from lines that were read already."""
    found: dict[tuple[int, str], Part] = {}
    present: Part | None = None
    attempt = 1
    for entry in entries:
        told = entry.fields.get("attempt")
        attempt = told if isinstance(told, int) else attempt
        name = _BY_EVENT.get(EventName(entry.event)) or entry.fields.get("stage")
        if not isinstance(name, str):
            continue
        moment = parse_utc(entry.ts)
        part = found.setdefault((attempt, str(name)), Part(str(name), attempt, entry.seq, entry.ts))
        if present is not part and present is not None:
            present.leave(moment)
        present = part
        if entry.event in TERMINAL_EVENTS:
            part.times += 1
        else:
            part.enter(moment)
            _tell(part, entry, moment)
    return list(found.values())


def _tell(part: Part, entry: Entry, moment: datetime) -> None:
    """What the line says of how far its stage is."""
    if entry.event != EventName.JOB_STAGE:
        return
    part.message, part.pct = entry.msg, _share(entry)
    name = entry.fields.get("phase")
    if part.name in _WITHOUT_PHASES or not isinstance(name, str):
        return
    phase = next((each for each in part.phases if each.name == name), None)
    if phase is None:
        part.phases.append(phase := Part(name, part.attempt, entry.seq, entry.ts))
    for other in part.phases:
        if other is not phase:
            other.leave(moment)
    phase.enter(moment)
    phase.message, phase.pct = entry.msg, _share(entry)


def _share(entry: Entry) -> float | None:
    told = entry.fields.get("phase_pct")
    return float(told) if isinstance(told, int | float) else None
