"""What the runner makes of a report before it is a journal line."""

from __future__ import annotations

import math
import secrets
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from isengard.core.errors import StorageError
from isengard.core.paths import DataDir, JobPaths
from isengard.core.redaction import Redactor
from isengard.events.models import EventName, Level
from isengard.events.reports import Report
from isengard.execution.outbox import Outbox
from isengard.execution.recorder import Recorder
from isengard.execution.throughput import Throughput
from isengard.journal import Entry, JournalReader, JournalWriter


@pytest.fixture
def paths(tmp_path: Path) -> JobPaths:
    made = DataDir(tmp_path).job("train-recorded")
    made.make()
    return made


def recorded(paths: JobPaths, *reports: Report, clock: Any = None, redactor: Redactor | None = None) -> list[Entry]:
    knowing = redactor or Redactor()
    with JournalWriter.open(paths, service="runner", redactor=knowing, correlation_id="corr-1") as journal:
        recorder = Recorder(
            Outbox(journal), paths, attempt=2, steps_total=100, throughput=Throughput(clock) if clock else Throughput()
        )
        for number, report in enumerate(reports, 1):
            recorder.report(report, number)
    return JournalReader(paths).read()


def test_a_step_is_completed_with_attempt_status_progress_and_pace(paths: JobPaths) -> None:
    times = iter([0.0, 2.0])
    steps = [Report(EventName.TRAINING_STEP, {"step": step, "loss": 0.5}) for step in (10, 14)]

    first, second = recorded(paths, *steps, clock=lambda: next(times))

    assert first.fields == {
        "step": 10,
        "loss": 0.5,
        "report": 1,
        "status": "running",
        "attempt": 2,
        "stage": "initializing",
        "steps_total": 100,
        "progress_pct": 10.0,
    }
    assert (second.fields["it_per_s"], second.fields["eta_seconds"]) == (2.0, 43.0)


def test_a_step_that_the_disk_refused_at_first_does_not_cost_the_pace(paths: JobPaths) -> None:
    times = iter([0.0, 2.0, 9.0])
    with JournalWriter.open(paths, service="runner", redactor=Redactor(), correlation_id="corr-1") as journal:
        outbox = Outbox(journal)
        pace = Throughput(lambda: next(times))
        recorder = Recorder(outbox, paths, attempt=1, steps_total=100, throughput=pace)
        recorder.report(Report(EventName.TRAINING_STEP, {"step": 10}), 1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(journal, "append", refuse)
            with pytest.raises(StorageError):
                recorder.report(Report(EventName.TRAINING_STEP, {"step": 14}), 2)
        recorder.report(Report(EventName.TRAINING_STEP, {"step": 14}), 2)
    fields = JournalReader(paths).read()[-1].fields
    assert (fields["it_per_s"], fields["eta_seconds"]) == (2.0, 43.0)


def refuse(*_line: Any, **_more: Any) -> int:
    raise StorageError("No space left on device")


def test_a_script_that_tells_of_a_step_twice_has_a_pace(paths: JobPaths) -> None:
    times = iter([0.0, 1.0, 2.0, 3.0])
    steps = [Report(EventName.TRAINING_STEP, {"step": step}) for step in (10, 10, 14, 14)]
    assert [entry.fields.get("it_per_s") for entry in recorded(paths, *steps, clock=lambda: next(times))] == [
        None,
        None,
        2.0,
        2.0,
    ]


def test_what_the_trainer_knows_better_is_kept(paths: JobPaths) -> None:
    own = {"step": 1, "eta_seconds": 5.0, "it_per_s": 9.0, "steps_total": 50, "progress_pct": 3.0, "attempt": 99}

    (entry,) = recorded(paths, Report(EventName.TRAINING_STEP, own))

    assert entry.fields["eta_seconds"] == 5.0
    assert entry.fields["progress_pct"] == 3.0
    assert entry.fields["attempt"] == 2, "which attempt it is, is not the trainer's to say"


@pytest.mark.parametrize("loss", [math.nan, math.inf, "0.5", True, [1], 10**400])
def test_a_figure_that_is_none_is_left_out(paths: JobPaths, loss: object) -> None:
    (entry,) = recorded(paths, Report(EventName.TRAINING_STEP, {"step": 1.0, "loss": loss}))

    assert "loss" not in entry.fields
    assert entry.fields["step"] == 1


def test_a_sample_that_is_there_is_told_with_its_size(paths: JobPaths) -> None:
    (paths.samples / "a.png").write_bytes(b"12345")

    (entry,) = recorded(paths, Report(EventName.TRAINING_SAMPLE, {"sample_path": "a.png", "step": 3}))

    assert (entry.event, entry.fields["size_bytes"]) == ("training.sample", 5)


def test_a_sample_is_cleaned_on_the_disk_before_anybody_is_told_of_it(paths: JobPaths) -> None:
    given, named = secrets.token_hex(16), f"hf_{secrets.token_hex(17)}"
    notes = PngInfo()
    notes.add_text("parameters", f"a cat, --api-key {given}, steps 20")
    picture = Image.effect_noise((64, 64), 50)
    picture.save(paths.samples / f"a_{named}.png", pnginfo=notes)
    (paths.samples / "b.jpg").write_bytes(b"\xff\xd8\xff but no JPEG")

    first, again, second = recorded(
        paths,
        Report(EventName.TRAINING_SAMPLE, {"sample_path": f"a_{named}.png", "step": 3}),
        Report(EventName.TRAINING_SAMPLE, {"sample_path": f"a_{named}.png", "step": 3}),
        Report(EventName.TRAINING_SAMPLE, {"sample_path": "b.jpg", "step": 3}),
        redactor=Redactor([given]),
    )

    shown = paths.samples / first.fields["sample_path"]
    assert sorted(paths.samples.iterdir()) == [shown, paths.samples / "b.jpg"]
    assert first.fields["size_bytes"] == shown.stat().st_size
    assert again.fields["sample_path"] == shown.name
    assert named not in shown.name
    assert given.encode() not in shown.read_bytes()
    with Image.open(shown) as kept:
        assert kept.tobytes() == picture.tobytes()
        assert kept.info["parameters"].startswith("a cat")
    assert second.event == "training.sample"


@pytest.mark.parametrize("name", ["missing.png", "../../job.json", "", None, ".."])
def test_a_sample_that_is_not_there_is_a_warning_with_its_report_number(paths: JobPaths, name: object) -> None:
    (entry,) = recorded(paths, Report(EventName.TRAINING_SAMPLE, {"sample_path": name, "step": 3}))

    assert (entry.event, entry.level, entry.fields["report"]) == ("log", Level.WARN, 1)


def test_the_trainers_own_error_is_remembered_for_the_verdict(paths: JobPaths) -> None:
    with JournalWriter.open(paths, service="runner", redactor=Redactor(), correlation_id="c") as journal:
        recorder = Recorder(Outbox(journal), paths, attempt=1, steps_total=1)
        recorder.report(Report(EventName.LOG, {"error": "boom", "error_type": "ValueError", "error_stack": "S"}), 1)

        assert recorder.failure is not None
        assert (recorder.failure.error, recorder.failure.error_type, recorder.failure.stack) == (
            "boom",
            "ValueError",
            "S",
        )


def test_a_line_of_the_job_leaves_out_what_is_not_known(paths: JobPaths) -> None:
    with JournalWriter.open(paths, service="runner", redactor=Redactor(), correlation_id="corr-1") as journal:
        Recorder(Outbox(journal), paths, attempt=1, steps_total=0).job(EventName.JOB_STARTED, "started", gpus=None)
    [line] = JournalReader(paths).read()
    assert "gpus" not in line.fields
    assert None not in line.fields.values()
