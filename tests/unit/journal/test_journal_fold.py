"""The fold: the state of a job as its lines tell it, the same whether read line by line or by the index."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isengard.core.paths import JobPaths
from isengard.journal import Entry, JobFold, JournalReader
from standins.journals import line, new_job, put


@pytest.fixture
def paths(tmp_path: Path) -> JobPaths:
    return new_job(tmp_path)


def folded(lines: list[bytes]) -> JobFold:
    fold = JobFold()
    fold.apply_all(map(Entry.parse, lines))
    return fold


def run(attempt: int, first: int, steps: range, ending: str | None, **last: Any) -> list[bytes]:
    """The lines of one attempt from number `first` on."""
    made: list[bytes] = []

    def add(event: str, level: str = "INFO", msg: str = "", **values: Any) -> None:
        made.append(line(first + len(made), event, msg, level, attempt=attempt, **values))

    add("job.created" if attempt == 1 else "job.resumed", status="queued", stage="queued", step=steps.start)
    add("job.queued", status="queued")
    add("job.started", status="running", stage="initializing")
    add("job.stage", stage="initializing", phase="loading model", phase_pct=50)
    add("job.stage", stage="training")
    for step in steps:
        add("training.step", stage="training", step=step, steps_total=100, loss=1 / (step + 1), lr=1e-4, it_per_s=2.5)
        if step % 10 == 0:
            add("training.sample", step=step, sample_path=f"s{step}.png", stage="sampling")
            add("training.checkpoint", step=step, checkpoint_path=f"c{step}")
    if ending:
        add(ending, "ERROR" if ending == "job.failed" else "INFO", **last)
    return made


def test_the_host_is_told_where_it_is_another_than_the_sites() -> None:
    here = line(3, "job.started", "", "INFO", attempt=1, status="running", host="site")
    there = line(3, "job.started", "", "INFO", attempt=1, status="running", host="atlas", hosted=True)
    resumed = line(4, "job.resumed", "", "INFO", attempt=2, status="queued")
    assert folded([here]).host is None
    assert folded([there]).host == "atlas"
    assert folded([there, resumed]).host is None


def test_a_running_job() -> None:
    fold = folded(run(1, 1, range(1, 31), None))
    assert (fold.status, fold.stage, fold.attempt) == ("running", "sampling", 1)
    assert (fold.step, fold.steps_total, fold.progress_pct) == (30, 100, 30.0)
    assert fold.loss == pytest.approx(1 / 31)
    assert fold.lr == 1e-4
    assert fold.it_per_s == 2.5
    assert fold.phase is None
    assert [entry.fields["sample_path"] for entry in fold.samples] == ["s10.png", "s20.png", "s30.png"]
    assert [entry.fields["checkpoint_path"] for entry in fold.checkpoints] == ["c10", "c20", "c30"]
    assert fold.terminal_seq is None
    assert fold.started_at is not None
    assert fold.completed_at is None


def test_the_phase_inside_a_stage_shows_until_the_stage_is_over() -> None:
    lines = run(1, 1, range(0), None)
    assert folded(lines[:4]).phase == "loading model"
    assert folded(lines[:4]).phase_pct == 50
    assert folded(lines[:5]).phase is None


def test_a_completed_job_is_at_a_hundred_per_cent() -> None:
    lines = run(1, 1, range(1, 100), "job.completed", status="completed")
    fold = folded(lines)
    assert (fold.status, fold.stage, fold.progress_pct) == ("completed", "completed", 100.0)
    assert fold.terminal_seq == len(lines)
    assert fold.completed_at == Entry.parse(lines[-1]).ts
    assert fold.eta_seconds is None


def test_a_failed_job_knows_its_error_and_the_first_one() -> None:
    lines = run(1, 1, range(1, 5), None)
    lines.append(line(len(lines) + 1, "subprocess.stderr", "CUDA out of memory", "ERROR"))
    lines.append(
        line(len(lines) + 1, "job.failed", "it failed", "ERROR", error="CUDA out of memory", error_type="OutOfMemory",
             error_stack="Traceback …", attempt=1)
    )  # fmt: skip
    fold = folded(lines)
    assert (fold.status, fold.error, fold.error_type) == ("failed", "CUDA out of memory", "OutOfMemory")
    assert fold.error_stack == "Traceback …"
    assert fold.first_error is not None
    assert fold.first_error.msg == "CUDA out of memory"


def test_a_failure_without_words_takes_its_message() -> None:
    assert folded([line(1, "job.failed", "killed by signal 9", "ERROR")]).error == "killed by signal 9"


def test_a_resumed_job_starts_over_but_keeps_its_pictures() -> None:
    first = run(1, 1, range(1, 31), "job.failed", error="x", error_type="Y")
    again = run(2, len(first) + 1, range(21, 25), None)
    fold = folded(first + again)
    assert (fold.status, fold.attempt, fold.step) == ("running", 2, 24)
    assert (fold.error, fold.error_type, fold.first_error, fold.terminal_seq) == (None, None, None, None)
    assert fold.completed_at is None
    assert fold.progress_pct == 24.0
    assert len(fold.samples) == 3
    assert folded(first + again[:1]).status == "queued"
    assert folded(first + again[:1]).step == 21


def test_a_sample_made_again_under_its_name_is_there_once() -> None:
    lines = [
        line(1, "training.sample", step=5, sample_path="a.png"),
        line(2, "training.sample", step=5, sample_path="a.png"),
    ]
    assert [entry.seq for entry in folded(lines).samples] == [2]


def test_the_first_prompts_newest_sample_stands_for_the_training() -> None:
    def shown(*samples: tuple[int | None, int | None, int, str]) -> str:
        names = ("step", "sample_index", "attempt", "sample_path")
        told = [
            line(seq, "training.sample", **{name: it for name, it in zip(names, each, strict=True) if it is not None})
            for seq, each in enumerate(samples, 1)
        ]
        sample = folded(told).sample
        return str(sample.fields["sample_path"]) if sample else ""

    assert shown() == ""
    assert shown((0, 0, 1, "a"), (0, 1, 1, "b")) == "a"
    assert shown((0, 0, 1, "a"), (0, 1, 1, "b"), (5, 1, 1, "c")) == "c", "what there is of the newest step"
    assert shown((5, 1, 1, "b"), (5, 0, 1, "a")) == "a"
    assert shown((5, 0, 1, "a"), (5, 0, 1, "again")) == "again", "asked for twice at one step"
    assert shown((5, 0, 1, "a"), (3, 0, 2, "b")) == "b", "an attempt that began anew from before it"
    assert shown((None, None, 1, "a"), (None, None, 1, "b")) == "b", "of a command that tells neither"


def test_stragglers_behind_the_end_change_nothing_but_the_position() -> None:
    lines = run(1, 1, range(1, 5), "job.cancelled", status="cancelled")
    number = len(lines)
    lines += [line(number + 1, step=99, loss=9.9), line(number + 2, "job.stage", stage="training", status="running")]
    fold = folded(lines)
    assert (fold.status, fold.stage, fold.step) == ("cancelled", "cancelled", 4)
    assert fold.terminal_seq == number
    assert fold.last_seq == number + 2


def test_a_line_folded_in_twice_counts_once() -> None:
    lines = run(1, 1, range(1, 5), None)
    fold = folded(lines)
    fold.apply(Entry.parse(lines[5]))
    assert fold == folded(lines)


def test_the_latest_reading_of_the_first_gpu_shows() -> None:
    readings = [{"index": 0, "power_w": 200.0}, {"index": 1, "power_w": 100.0}]
    assert folded([line(1, "gpu.metrics", gpus=readings)]).gpu == readings[0]
    assert folded([line(1, "gpu.metrics", cpu_pct=3.0)]).gpu is None


def test_odd_fields_are_let_through() -> None:
    fold = folded([line(1, "job.stage", attempt="two", stage=7, step="x"), line(2, "training.sample", sample_path=5)])
    assert fold.attempt == 1
    assert fold.samples == []


def test_it_catches_up_from_where_it_stands(paths: JobPaths) -> None:
    lines = run(1, 1, range(1, 1500), "job.failed", error="x")
    lines += run(2, len(lines) + 1, range(1400, 2600), "job.completed")
    reader = JournalReader(paths)
    fold = JobFold()
    for count in (0, 3, 700, 1790, 1805, 1900, len(lines)):
        put(paths, lines[:count])
        fold.catch_up(reader)
        assert same(fold, folded(lines[:count]))
    assert same(JobFold.read(JournalReader(paths)), folded(lines))


def test_steps_that_come_late_hide_no_figure_of_the_attempt_that_is_over(paths: JobPaths) -> None:
    lines = run(1, 1, range(1, 40), "job.failed", error="x")
    late = range(len(lines) + 1, len(lines) + 701)
    lines += [line(seq, "training.step", step=seq, steps_total=5000, loss=0.5, attempt=1) for seq in late]
    put(paths, lines)
    assert JobFold.read(JournalReader(paths)).step == 39
    assert same(JobFold.read(JournalReader(paths)), folded(lines))


events = st.one_of(
    st.builds(
        lambda loss, lr: ("training.step", "INFO", {"loss": loss} | {"lr": lr}),
        st.none() | st.floats(0, 1),
        st.none() | st.floats(0, 1),
    ),
    st.sampled_from(
        [
            ("job.stage", "INFO", {"stage": "training"}),
            ("job.stage", "INFO", {"stage": "training", "phase": "saving", "phase_pct": 3}),
            ("log", "ERROR", {}),
            ("log", "WARN", {}),
            ("subprocess.stdout", "INFO", {}),
            ("gpu.metrics", "INFO", {"gpus": [{"index": 0, "power_w": 1.5}]}),
            ("job.failed", "ERROR", {"error": "e", "error_type": "E"}),
            ("job.resumed", "INFO", {"status": "queued"}),
            ("job.started", "INFO", {"status": "running"}),
            ("training.sample", "INFO", {"sample_path": "a.png", "stage": "sampling"}),
            ("training.checkpoint", "INFO", {"checkpoint_path": "c1"}),
        ]
    ),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(blocks=st.lists(st.tuples(events, st.sampled_from([1, 1, 1, 70, 600])), min_size=1, max_size=8))
def test_reading_by_the_index_gives_what_folding_every_line_gives(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[tuple[tuple[str, str, dict[str, Any]], int]]
) -> None:
    paths = new_job(tmp_path_factory.mktemp("fold"))
    lines: list[bytes] = []
    attempt = 1
    for (event, level, values), count in blocks:
        for _ in range(count):
            attempt += event == "job.resumed"
            seq = len(lines) + 1
            known = {name: value for name, value in values.items() if value is not None}
            step = {"step": seq, "steps_total": 5000} if event == "training.step" else {}
            lines.append(line(seq, event, "", level, **known, **step, attempt=attempt))
    put(paths, lines)
    assert same(JobFold.read(JournalReader(paths)), folded(lines))


def same(one: JobFold, other: JobFold) -> bool:
    for spec in fields(JobFold):
        assert getattr(one, spec.name) == getattr(other, spec.name), spec.name
    return True
