"""The state of a job as its journal tells it: every line changes it a little, and a resumed attempt starts parts anew.

One fold serves lists, snapshots, status lines and the store alike, so that they cannot contradict each other. Knows
nothing of files; `JobFold.read` asks a reader for the lines that matter instead of reading all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from isengard.events.models import TERMINAL_EVENTS, EventName
from isengard.journal.digest import rows_that_matter
from isengard.journal.entry import Entry

if TYPE_CHECKING:
    from isengard.journal.reader import JournalReader

_STATUS: dict[str, str] = {
    EventName.JOB_CREATED: "queued",
    EventName.JOB_QUEUED: "queued",
    EventName.JOB_RESUMED: "queued",
    EventName.JOB_STARTED: "running",
    EventName.JOB_STAGE: "running",
    EventName.JOB_COMPLETED: "completed",
    EventName.JOB_FAILED: "failed",
    EventName.JOB_CANCELLED: "cancelled",
}
_STATUSES = frozenset({*_STATUS.values(), "cancelling"})
_NUMBER = (int, float)
_FIGURES: dict[str, type | tuple[type, ...]] = {
    "stage": str,
    "step": int,
    "steps_total": int,
    "progress_pct": _NUMBER,
    "loss": _NUMBER,
    "lr": _NUMBER,
    "eta_seconds": _NUMBER,
    "it_per_s": _NUMBER,
    "gpu": dict,
    "error": str,
    "error_type": str,
    "error_stack": str,
    "failure_fingerprint": str,
    "output_path": str,
}
"""What a line's fields may say of the job, and of what kind it has to be to be taken."""


@dataclass(slots=True)
class JobFold:
    """What a job is, does and has done.

    Attributes:
        status: As in the latest line that says so, None before the first.
        attempt: The latest attempt, from 1.
        correlation_id: The request that the latest attempt belongs to: the one that made the job, or resumed it.
        progress_pct: 0 to 100.
        loss: Of the latest step that had one.
        phase: What goes on inside the stage; None once the stage is over.
        host: Where the attempt runs, if that is another host than the site's.
        gpu: The latest reading of a GPU, as in the journal.
        created_at: Timestamp of the first line.
        started_at: Of the first ``job.started``.
        completed_at: Of the terminal line.
        failure_fingerprint: What failures of the same kind share; None unless it failed.
        output_path: Where the finished LoRA was put.
        first_error: The first line of level ERROR in the latest attempt.
        sample: The ``training.sample`` line that stands for the training: the first prompt's at the newest step.
        terminal_seq: Number of the line that ended the job; None while it goes on or once it is resumed.
        last_seq: Number of the last line folded in.
    """

    status: str | None = None
    stage: str | None = None
    attempt: int = 1
    correlation_id: str | None = None
    step: int | None = None
    steps_total: int | None = None
    progress_pct: float | None = None
    loss: float | None = None
    lr: float | None = None
    eta_seconds: float | None = None
    it_per_s: float | None = None
    gpu: dict[str, Any] | None = None
    phase: str | None = None
    phase_pct: float | None = None
    host: str | None = None
    created_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    error: str | None = None
    error_type: str | None = None
    error_stack: str | None = None
    failure_fingerprint: str | None = None
    output_path: str | None = None
    first_error: Entry | None = None
    sample: Entry | None = None
    last_ts: str | None = None
    last_seq: int = 0
    terminal_seq: int | None = None
    _samples: dict[str, Entry] = field(default_factory=dict)
    _checkpoints: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def read(cls, reader: JournalReader) -> Self:
        """The state after the last line there is; parses the lines that matter and no others."""
        return cls().catch_up(reader)

    def catch_up(self, reader: JournalReader) -> Self:
        """Fold in what was written since; returns itself."""
        snapshot = reader.snapshot()
        self.apply_all(reader.at(rows_that_matter(reader, snapshot, self.last_seq), snapshot))
        return self

    @property
    def samples(self) -> list[Entry]:
        """The ``training.sample`` lines, oldest first; of two with the same file the newer."""
        return list(self._samples.values())

    @property
    def checkpoints(self) -> list[Entry]:
        """The ``training.checkpoint`` lines, oldest first; of two with the same file the newer."""
        return list(self._checkpoints.values())

    def apply_all(self, entries: Iterable[Entry]) -> None:
        """Fold in several lines."""
        for entry in entries:
            self.apply(entry)

    def apply(self, entry: Entry) -> None:
        """Fold in the line; one that was folded in already changes nothing."""
        if entry.seq <= self.last_seq:
            return
        self.last_seq, self.last_ts = entry.seq, entry.ts
        self.created_at = self.created_at or entry.ts
        family = entry.event.partition(".")[0]
        if entry.event in (EventName.JOB_CREATED, EventName.JOB_RESUMED):
            self.correlation_id = entry.correlation_id
        if entry.event == EventName.JOB_RESUMED:
            self._start_over()
        if entry.level == "ERROR" and self.first_error is None:
            self.first_error = entry
        if family in ("job", "training"):
            self._apply_progress(entry)
        elif family == "gpu":
            self.gpu = _reading(entry.fields)

    def _start_over(self) -> None:
        """What an ended attempt left does not count for the next."""
        self.error = self.error_type = self.error_stack = self.failure_fingerprint = self.first_error = None
        self.completed_at = self.terminal_seq = None
        self.eta_seconds = self.it_per_s = self.gpu = self.phase = self.phase_pct = None
        self.status = self.stage = self.progress_pct = self.host = None

    def _apply_progress(self, entry: Entry) -> None:
        fields = entry.fields
        attempt = fields.get("attempt")
        self.attempt = max(self.attempt, attempt) if isinstance(attempt, int) else self.attempt
        if self.terminal_seq is not None:
            return  # a straggler of an attempt that is over
        for name, kind in _FIGURES.items():
            if isinstance(value := fields.get(name), kind):
                setattr(self, name, value)
        status = fields.get("status")
        self.status = status if status in _STATUSES else _STATUS.get(entry.event) or self.status
        self._apply_event(entry)
        if self.progress_pct is None or "progress_pct" not in fields:
            self._derive_progress()

    def _apply_event(self, entry: Entry) -> None:
        fields = entry.fields
        if entry.event in (EventName.JOB_STAGE, EventName.TRAINING_STEP):
            phase, share = fields.get("phase"), fields.get("phase_pct")
            self.phase = phase if isinstance(phase, str) else None
            self.phase_pct = share if isinstance(share, _NUMBER) else None
        elif entry.event == EventName.TRAINING_SAMPLE:
            _keep(self._samples, fields.get("sample_path"), entry)
            if isinstance(fields.get("sample_path"), str) and _stands_for(entry, self.sample):
                self.sample = entry
        elif entry.event == EventName.TRAINING_CHECKPOINT:
            _keep(self._checkpoints, fields.get("checkpoint_path"), entry)
        elif entry.event == EventName.JOB_STARTED:
            self.started_at = self.started_at or entry.ts
            self.host = str(fields["host"]) if fields.get("hosted") is True and "host" in fields else None
        elif entry.event in TERMINAL_EVENTS:
            self._end(entry)

    def _end(self, entry: Entry) -> None:
        self.status = _STATUS[entry.event]
        self.stage = self.status
        self.terminal_seq, self.completed_at = entry.seq, entry.ts
        self.eta_seconds = self.phase = self.phase_pct = None
        if entry.event == EventName.JOB_FAILED:
            self.error = self.error or entry.msg

    def _derive_progress(self) -> None:
        if self.status == "completed":
            self.progress_pct = 100.0
        elif self.step is not None and self.steps_total:
            self.progress_pct = min(100.0, 100.0 * self.step / self.steps_total)


def _keep(kept: dict[str, Entry], name: Any, entry: Entry) -> None:
    if isinstance(name, str):
        kept.pop(name, None)
        kept[name] = entry


def _stands_for(sample: Entry, known: Entry | None) -> bool:
    """Whether `sample` shows how the training stands better than `known`: later, or of an earlier prompt."""
    if known is None or _round(sample) != _round(known):
        return True
    index, other = sample.fields.get("sample_index"), known.fields.get("sample_index")
    return not (isinstance(index, int) and isinstance(other, int) and index > other)


def _round(sample: Entry) -> tuple[Any, Any]:
    """What samples share that were made at the same time: step and attempt."""
    return sample.fields.get("step"), sample.fields.get("attempt")


def _reading(fields: dict[str, Any]) -> dict[str, Any] | None:
    """The reading of the (first) GPU in the fields of a ``gpu.metrics`` line; None if there is none in it."""
    gpus = fields.get("gpus") or [fields.get("gpu")]
    return gpus[0] if isinstance(gpus, list) and isinstance(gpus[0], dict) else None
