"""A run as a script holds it: loud about the script's own mistakes, silent about everything else."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from isengard.core.paths import JobPaths
from isengard.events import overflow
from isengard.events.models import EventName
from isengard.events.reports import Report, ReportSpool
from isengard.execution import spool
from isengard.sdk.pictures import picture
from isengard.sdk.reporter import Places, Reporter
from isengard.sdk.retrying_spool import RetryingSpool
from isengard.sdk.run import Run
from isengard.sdk.values import Values


@pytest.fixture
def paths(tmp_path: Path) -> JobPaths:
    made = JobPaths(tmp_path / f"train-sdk{os.getpid()}")
    made.make()
    return made


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def run(paths: JobPaths, warnings: list[str]) -> Run:
    places = Places(paths.samples, paths.checkpoints, paths.requests)
    patient = RetryingSpool(paths.reports, paths.job_id, warnings.append)
    return Run(paths.job_id, Reporter(places, patient), patient, None, places, warnings.append)


def read(paths: JobPaths) -> list[Report]:
    reader = spool.of_job(paths)
    try:
        return [item.report for item in reader.rest()]
    finally:
        reader.close()


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ({"step": "one"}, TypeError, "step must be a number or a tensor of one element, not str 'one'"),
        ({"step": None}, TypeError, "step must be a number"),
        ({"step": True}, TypeError, "step must be a number"),
        ({"step": 1.5}, ValueError, "step must be a whole number from 0, not 1.5"),
        ({"step": -1}, ValueError, "step must be a whole number from 0"),
        ({"step": float("nan")}, ValueError, "step must be a whole number from 0"),
        ({"step": 1, "loss": [1, 2]}, TypeError, "loss must be a number"),
        ({"step": 1, "loss": numpy.ones(3)}, TypeError, "loss must be a number"),
        ({"step": 1, "accuracy": "high"}, TypeError, "accuracy must be a number"),
        ({"step": 1, "loss": 10**400}, TypeError, "loss must be a number"),
    ],
)
def test_what_is_no_figure_is_refused_by_name(run: Run, paths: JobPaths, said: Any, error: type, words: str) -> None:
    with pytest.raises(error, match=words.replace("(", r"\(")):
        run.log(**said)
    assert read(paths) == []


def test_figures_of_numpy_and_a_loss_that_is_none_are_taken(run: Run, paths: JobPaths, warnings: list[str]) -> None:
    run.log(step=numpy.int64(3), loss=numpy.float32(0.5), lr=numpy.array([1e-4]), extra=None)
    run.log(step=4, loss=float("nan"))
    first, second = read(paths)
    assert (first.fields["step"], first.fields["loss"], first.fields["lr"]) == (3, 0.5, pytest.approx(1e-4))
    assert (second.level, second.msg) == ("WARN", "the loss of step 4 is nan")
    assert warnings == []


@pytest.mark.parametrize(
    ("image", "size", "pixel"),
    [
        (numpy.zeros((4, 6), dtype="uint8"), (6, 4), 0),
        (numpy.full((4, 6, 3), 255, dtype="uint8"), (6, 4), (255, 255, 255)),
        (numpy.full((3, 4, 6), 0.5), (6, 4), (128, 128, 128)),
        (numpy.full((1, 4, 4, 6), 2.0, dtype="float32"), (6, 4), (255, 255, 255, 255)),
        (numpy.full((4, 6, 1), numpy.nan), (6, 4), 0),
        (numpy.ones((4, 6), dtype=bool), (6, 4), 255),
        (Image.new("F", (6, 4)), (6, 4), (0, 0, 0)),
    ],
)
def test_pictures_of_every_kind_become_what_a_png_holds(image: Any, size: tuple[int, int], pixel: Any) -> None:
    made = picture(image)
    assert isinstance(made, Image.Image)
    assert (made.size, made.getpixel((0, 0))) == (size, pixel)


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (7, TypeError, "image must be a path"),
        (numpy.zeros((5, 6, 7)), ValueError, r"shape \(5, 6, 7\)"),
        (numpy.zeros((0, 4)), ValueError, "shape"),
        (numpy.zeros((2, 3, 4, 4)), ValueError, "shape"),
        ("notes.txt", ValueError, "not 'notes.txt'"),
    ],
)
def test_what_is_no_picture_is_refused(image: Any, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        picture(image)


def test_a_disk_that_refuses_costs_nothing_and_everything_comes_later_in_order(
    run: Run, paths: JobPaths, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run.log(step=1, loss=1)
    real = os.write
    left = [40]

    def full(descriptor: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = real(descriptor, data[: left[0]])  # the last of the room: half a line
        left[0] -= taken
        return taken

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        for step in (2, 3, 4):
            run.log(step=step, loss=1)
    run._spool.flush()  # type: ignore[union-attr]

    reports = read(paths)
    assert [report.fields.get("step") for report in reports] == [1, 2, 3, 4]
    assert len(warnings) == 1
    assert "No space left" in warnings[0]


def test_a_spool_that_stays_refused_goes_on_outside_of_the_data_folder(run: Run, paths: JobPaths) -> None:
    paths.reports.mkdir()  # no file can be written there
    for step in range(1, 6):
        run.log(step=step, loss=1)
    run.sample(Image.new("RGB", (2, 2)), step=5)
    run.finish()
    try:
        assert overflow.spool(paths.job_id) is not None
        paths.reports.rmdir()
        assert [report.fields["step"] for report in read(paths) if report.event is EventName.TRAINING_STEP] == [
            *range(1, 6)
        ]
    finally:
        overflow.clear(paths.job_id)


def test_what_is_reported_after_the_end_or_by_a_forked_child_is_left_out(run: Run, paths: JobPaths) -> None:
    run.log(step=1, loss=1)
    child = os.fork()
    if child == 0:
        run.log(step=2, loss=1)
        run.finish()
        os._exit(0)
    os.waitpid(child, 0)
    run.finish("failed", "it learns nothing")
    run.finish()
    run.log(step=3, loss=1)
    reports = read(paths)
    assert [report.fields.get("step") for report in reports] == [1, None, None]
    assert reports[1].fields == {"error": "it learns nothing", "error_type": "ScriptFailed"}
    assert reports[2].fields == {"ended": "failed", "implied": False}


def test_an_exception_in_the_body_is_the_end(run: Run, paths: JobPaths) -> None:
    with pytest.raises(ZeroDivisionError), run:
        1 / 0  # noqa: B018
    error, end = read(paths)
    assert error.fields["error_type"] == "ZeroDivisionError"
    assert "1 / 0" in error.fields["error_stack"]
    assert end.fields["ended"] == "failed"


def test_requests_are_taken_once_and_a_stop_stays(run: Run, paths: JobPaths) -> None:
    for marker in ("stop", "sample"):
        (paths.requests / marker).touch()
    first, second = run.requests(), run.requests()
    assert (first.stop, first.sample, first.save) == (True, True, False)
    assert (second.stop, second.sample) == (True, False)
    assert run.should_stop


def test_a_checkpoint_is_copied_whole(run: Run, paths: JobPaths, tmp_path: Path, warnings: list[str]) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "weights.bin").write_bytes(b"1")
    (tmp_path / "latest.pt").write_bytes(b"2")
    run.checkpoint(tmp_path / "latest.pt", step=1)
    (tmp_path / "latest.pt").write_bytes(b"overwritten")
    run.checkpoint(str(tmp_path / "state"), step=2)
    run.checkpoint(tmp_path / "nothing", step=3)
    assert (paths.checkpoints / "step_000001.pt").read_bytes() == b"2"
    assert (paths.checkpoints / "step_000002" / "weights.bin").read_bytes() == b"1"
    assert sorted(os.listdir(paths.checkpoints)) == ["step_000001.pt", "step_000002"]
    assert len(warnings) == 1
    assert "No such file" in warnings[0]


def test_other_libraries_figures_are_sorted() -> None:
    said = Values.of({"train/loss": 0.5, "learning_rate": 1e-4, "epoch": 1, "step": 7, "text": "a", "none": None})
    assert (said.loss, said.lr, said.metrics) == (0.5, 1e-4, {"epoch": 1.0, "step_": 7.0})
    assert said.rest == {"text": "a", "none": None}


def test_importing_loads_nothing_heavy_and_other_ranks_report_nothing(tmp_path: Path) -> None:
    code = """
import sys, isengard
run = isengard.init(data_dir=sys.argv[1])
run.log(step=1, loss=1); run.requests(); run.finish()
print([name for name in ("torch", "numpy", "PIL", "sqlalchemy", "pydantic") if name in sys.modules])
"""
    argv = [sys.executable, "-c", code, str(tmp_path / "data")]
    answer = subprocess.run(argv, env={**os.environ, "RANK": "1"}, capture_output=True, text=True, check=True)
    assert (answer.stdout.strip(), answer.stderr) == ("[]", "")
    assert not (tmp_path / "data").exists()


def test_a_lost_spool_of_a_stranger_is_not_taken(
    paths: JobPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(overflow, "_PARENTS", (tmp_path,))
    folder = overflow.make(paths.job_id)
    ReportSpool(folder / "reports.jsonl").close()
    assert overflow.spool(paths.job_id) is not None
    folder.parent.chmod(0o777)
    assert overflow.spool(paths.job_id) is None
    with pytest.raises(PermissionError):
        overflow.make(paths.job_id)


def test_a_stage_and_a_level_that_there_is_not_are_refused_by_name(run: Run) -> None:
    with pytest.raises(ValueError, match=r"stage must be one of queued, .*training.*, not 'dreaming'"):
        run.stage("dreaming")
    with pytest.raises(ValueError, match="level must be one of DEBUG, INFO, WARN, ERROR, not 'LOUD'"):
        run.note("x", level="LOUD")


def test_a_remark_that_no_json_can_hold_is_made_and_costs_nothing_else(
    run: Run, paths: JobPaths, warnings: list[str]
) -> None:
    run.note("half \ud800", pair={("a", 1): 2}, large=10**40)
    run.log(step=1, loss=0.5)
    remark, step = read(paths)
    assert (remark.msg, remark.fields) == ("half ?", {"pair": {"('a', 1)": 2}, "large": str(10**40)})
    assert step.fields["loss"] == 0.5
    assert warnings == []
