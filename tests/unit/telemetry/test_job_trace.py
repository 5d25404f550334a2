"""The spans of a job as its journal tells them, whole or in pieces, through resumptions and deaths."""

from __future__ import annotations

from typing import Any

import pytest

from isengard.core.tracing import attempt_span, trainer_span
from isengard.journal import Entry
from isengard.telemetry.job_trace import JobTrace, Span

JOB = "train-j0urna1"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
BIRTH = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "parent_span": PARENT, "trainer": "mock"}


def journal(*lines: tuple[str, dict[str, Any]]) -> list[Entry]:
    return [
        Entry(seq, f"2026-01-02T03:04:{seq:02d}.000000Z", "INFO", event, event, "runner", JOB, "corr-1", fields)
        for seq, (event, fields) in enumerate(lines, 1)
    ]


LIFE = journal(
    ("job.created", BIRTH),
    ("job.queued", {"attempt": 1}),
    ("job.started", {"attempt": 1, "stage": "initializing"}),
    ("subprocess.start", {"pid": 7}),
    ("job.stage", {"stage": "training"}),
    ("training.step", {"stage": "training", "step": 1}),
    ("training.step", {"stage": "training", "step": 2}),
    ("subprocess.exit", {"exit_code": 1}),
    ("job.failed", {"attempt": 1, "error": "out of memory", "error_type": "OutOfMemory", "error_stack": "Traceback …"}),
    ("job.resumed", {"attempt": 2}),
    ("job.queued", {"attempt": 2}),
    ("job.started", {"attempt": 2, "stage": "initializing"}),
    ("job.completed", {"attempt": 2}),
)


def told(entries: list[Entry]) -> list[Span]:
    trace = JobTrace(JOB, {})
    return [span for entry in entries for span in trace.apply(entry)]


def test_the_life_of_a_job_is_one_trace() -> None:
    spans = told(LIFE)
    assert [(span.name, span.begin[17:19], span.end[17:19]) for span in spans] == [
        ("queued", "02", "03"),
        ("initializing", "03", "05"),
        ("trainer mock", "04", "08"),
        ("training", "05", "09"),
        ("attempt 1", "02", "09"),
        ("training job", "01", "09"),
        ("queued", "11", "12"),
        ("initializing", "12", "13"),
        ("attempt 2", "11", "13"),
    ]
    assert {span.trace_id for span in spans} == {TRACE}
    assert len({span.span_id for span in spans}) == len(spans)
    by_name = {span.name: span for span in spans}
    assert by_name["training job"].parent_id == PARENT
    assert by_name["training job"].span_id == by_name["attempt 2"].parent_id == "b7ad6b7169203331"
    assert by_name["attempt 1"].span_id == attempt_span(JOB, 1)
    assert by_name["trainer mock"].span_id == trainer_span(JOB, 1)
    assert (by_name["attempt 1"].fault_type, by_name["attempt 2"].fault) == ("OutOfMemory", "")


@pytest.mark.parametrize("place", range(1, len(LIFE)))
def test_a_restart_at_any_line_tells_the_same_spans(place: int) -> None:
    before = JobTrace(JOB, {})
    spans = [span for entry in LIFE[:place] for span in before.apply(entry)]
    after = JobTrace(JOB, before.state())
    assert spans + [span for entry in LIFE[place:] for span in after.apply(entry)] == told(LIFE)


def test_a_runner_that_died_leaves_no_span_open() -> None:
    died = [*LIFE[:7], Entry(8, "2026-01-02T03:04:08.000000Z", "ERROR", "job.failed", "the runner died", fields={})]
    assert [span.name for span in told(died)][-4:] == ["training", "trainer mock", "attempt 1", "training job"]


def test_a_trace_that_its_caller_does_not_sample_is_not_told() -> None:
    unsampled = journal(("job.created", {"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"}))
    assert told([*unsampled, *LIFE[1:]]) == []


def test_a_journal_that_names_no_trace_has_one_of_its_own() -> None:
    spans = told([*journal(("job.created", {})), *LIFE[1:]])
    assert len({span.trace_id for span in spans}) == 1
    assert len(spans[0].trace_id) == 32
