"""Tells the spans of a job from its journal, line by line: the job, its attempts, their stages, the trainer's process.

A span is told when it has ended. What has begun is part of the state, which is plain JSON and goes on where it was
left. Knows no library; ids are those of `core/tracing.py`, so that telling a span twice tells the same span.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from isengard.core.tracing import attempt_span, stage_span, trace_of, trainer_span
from isengard.events.models import TERMINAL_EVENTS, EventName
from isengard.journal import Entry

_KEPT = ("trainer", "character_id", "character_name", "steps_total")


@dataclass(frozen=True, slots=True)
class Span:
    """A span that has ended.

    Attributes:
        parent_id: Empty for the root of a trace.
        begin: When it began, as in the journal.
        fault: What went wrong in it; empty if nothing did.
        stack: The traceback that goes with it.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    begin: str
    end: str
    attributes: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    fault_type: str = ""
    stack: str = ""


class JobTrace:
    """The trace of one job, as far as its journal was read.

    Args:
        state: What `state` gave before; empty at the beginning.
    """

    def __init__(self, job_id: str, state: dict[str, Any]) -> None:
        self._job_id = job_id
        self._trace: str = state.get("trace", trace_of(job_id))
        self._job: str = state.get("job", attempt_span(job_id, 0))
        self._parent: str = state.get("parent", "")
        self._sampled: bool = state.get("sampled", True)
        self._born: str = state.get("born", "")
        self._about: dict[str, Any] = state.get("about", {})
        self._attempt: dict[str, Any] = state.get("attempt", {})
        self._stage: dict[str, Any] = state.get("stage", {})
        self._trainer: dict[str, Any] = state.get("trainer", {})

    def state(self) -> dict[str, Any]:
        """What has to be remembered to go on."""
        return {
            "trace": self._trace,
            "job": self._job,
            "parent": self._parent,
            "sampled": self._sampled,
            "born": self._born,
            "about": self._about,
            "attempt": self._attempt,
            "stage": self._stage,
            "trainer": self._trainer,
        }

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        return self._trace

    @property
    def about(self) -> dict[str, Any]:
        """What the job's first line says of it: trainer, character, steps."""
        return self._about

    @property
    def attempt(self) -> int:
        """The latest attempt, 0 before the first."""
        return int(self._attempt.get("number", 0))

    def span_now(self) -> str:
        """The id of the innermost span that is open: of a stage, an attempt, or the job."""
        return str(self._stage.get("id") or (self._attempt and self._attempt["id"]) or self._job)

    def apply(self, entry: Entry) -> list[Span]:
        """Take a line in; returns the spans that it ended, none where the trace is not to be sampled."""
        spans = list(self._apply(entry))
        return spans if self._sampled else []

    def _apply(self, entry: Entry) -> Iterator[Span]:
        if entry.event == EventName.JOB_CREATED:
            self._begin(entry)
        elif entry.event == EventName.JOB_QUEUED:
            yield from self._begin_attempt(entry)
        elif entry.event in TERMINAL_EVENTS:
            yield from self._end(entry)
        elif entry.event == EventName.SUBPROCESS_START:
            self._trainer = {"since": entry.ts, "pid": entry.fields.get("pid")}
        elif entry.event == EventName.SUBPROCESS_EXIT:
            yield from self._end_trainer(entry, entry.fields.get("exit_code"))
        elif self._attempt and (stage := _stage_of(entry)) and stage != self._stage.get("name"):
            yield from self._end_stage(entry)
            self._begin_stage(stage, entry)

    def _begin(self, entry: Entry) -> None:
        self._born = entry.ts
        parts = str(entry.fields.get("traceparent", "")).split("-")
        if len(parts) == 4:
            self._trace, self._job, self._sampled = parts[1], parts[2], parts[3][-1:] in "13579bdf"
        self._parent = str(entry.fields.get("parent_span", ""))
        self._about = {name: entry.fields[name] for name in _KEPT if name in entry.fields}
        self._about["correlation_id"] = entry.correlation_id or ""

    def _begin_attempt(self, entry: Entry) -> Iterator[Span]:
        number = entry.fields.get("attempt")
        number = number if isinstance(number, int) else 1
        if self._attempt.get("number") == number:  # given back to the queue: the same attempt waits again
            return
        yield from self._end_stage(entry)
        self._attempt = {"number": number, "since": entry.ts, "id": attempt_span(self._job_id, number)}
        self._begin_stage("queued", entry)

    def _begin_stage(self, name: str, entry: Entry) -> None:
        self._stage = {"name": name, "since": entry.ts, "id": stage_span(self._job_id, entry.seq)}

    def _end_stage(self, entry: Entry) -> Iterator[Span]:
        if self._stage and self._attempt:
            stage, self._stage = self._stage, {}
            yield self._span(
                stage["id"], self._attempt["id"], stage["name"], stage["since"], entry.ts, {"stage": stage["name"]}
            )

    def _end_trainer(self, entry: Entry, exit_code: object) -> Iterator[Span]:
        if self._trainer and self._attempt:
            trainer, self._trainer = self._trainer, {}
            attributes = {"pid": trainer["pid"], "exit_code": exit_code}
            fault = "" if exit_code == 0 else entry.msg
            ids = (trainer_span(self._job_id, self._attempt["number"]), self._attempt["id"])
            name = f"trainer {self._about.get('trainer', '')}".rstrip()
            yield self._span(*ids, name, trainer["since"], entry.ts, attributes, fault)

    def _end(self, entry: Entry) -> Iterator[Span]:
        """The job is over; a later attempt is one more span below the job's, which is told only once."""
        outcome = entry.event.rpartition(".")[2]
        said = {name: entry.fields.get(name) for name in ("status", "step", "error_type")} | {"outcome": outcome}
        fault = str(entry.fields.get("error") or entry.msg) if entry.event == EventName.JOB_FAILED else ""
        more = (str(entry.fields.get("error_type", "")), str(entry.fields.get("error_stack") or ""))
        yield from self._end_stage(entry)
        yield from self._end_trainer(entry, None)
        if self._attempt:
            attempt = self._attempt
            name = f"attempt {attempt['number']}"
            yield self._span(attempt["id"], self._job, name, attempt["since"], entry.ts, said, fault, *more)
        if self._born:
            yield self._span(self._job, self._parent, "training job", self._born, entry.ts, said, fault, *more[:1])
            self._born = ""

    def _span(  # noqa: PLR0913, PLR0917 - a span has this many facts
        self,
        span_id: str,
        parent_id: str,
        name: str,
        begin: str,
        end: str,
        attributes: dict[str, Any],
        fault: str = "",
        fault_type: str = "",
        stack: str = "",
    ) -> Span:
        told = {name: value for name, value in {**self._about, **attributes}.items() if value not in (None, "")}
        told["attempt"] = self.attempt
        return Span(self._trace, span_id, parent_id, name, begin, max(begin, end), told, fault, fault_type, stack)


def _stage_of(entry: Entry) -> str:
    """The stage that a line of a running attempt says it is in."""
    if entry.event not in (EventName.JOB_STARTED, EventName.JOB_STAGE) and not entry.event.startswith("training."):
        return ""
    stage = entry.fields.get("stage")
    return stage if isinstance(stage, str) and stage != "queued" else ""
