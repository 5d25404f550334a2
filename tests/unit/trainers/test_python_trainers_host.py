"""The process of a Python trainer: what it reports, how it ends, what it leaves. Run as the runner runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image

from isengard.core.settings import Settings
from isengard.events.models import TrainingProgressEvent, TrainingStage
from isengard.events.reports import ENV_REPORTS, ENV_REQUESTS, ReportSpool
from isengard.trainers import registry
from isengard.trainers.base import Ending, TrainingJob
from isengard.trainers.host import EXIT_STOPPED, HostObserver
from isengard.trainers.run import TrainingRun, TrainingStopped
from isengard.trainers.weights import read_header


@dataclass
class Place:
    """The folders of one run."""

    root: Path

    def __post_init__(self) -> None:
        for name in ("dataset", "samples", "checkpoints", "work", "requests"):
            (self.root / name).mkdir()

    def job(self, **config: Any) -> TrainingJob:
        small = {"steps": 12, "step_time_s": 0, "resolution": 32, "sample_every_n_steps": 6, "lora_rank": 2}
        return TrainingJob(
            job_id="train-host",
            correlation_id="corr-1",
            character_id="char-host",
            character_name="Pip",
            trigger_word="pipbot",
            config=registry.validate_config(registry.load("mock"), {**small, **config}),
            dataset=self.root / "dataset",
            samples=self.root / "samples",
            checkpoints=self.root / "checkpoints",
            workdir=self.root / "work",
            output=self.root / "lora.safetensors",
        )

    def train(self, job: TrainingJob) -> int:
        launch = registry.load("mock").launch(job, Settings())
        places = {ENV_REPORTS: str(self.root / "reports"), ENV_REQUESTS: str(self.root / "requests")}
        return subprocess.run(launch.argv, env={**os.environ, **places}, check=False, capture_output=True).returncode

    def reports(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in (self.root / "reports").read_bytes().splitlines()]

    def run(self, job: TrainingJob) -> TrainingRun:
        return TrainingRun(job, ReportSpool(self.root / "reports"), self.root / "requests")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_training_reports_everything_and_leaves_its_files(place: Place) -> None:
    assert place.train(place.job(checkpoint_every_n_steps=6, sample_prompts=["one", "two"])) == 0

    reports = place.reports()
    steps = [report["fields"] for report in reports if report["event"] == "training.step"]
    assert [step["step"] for step in steps] == list(range(1, 13))
    assert all(0 < step["loss"] < 1 and step["lr"] > 0 and step["metrics"]["grad_norm"] > 0 for step in steps)
    samples = [report["fields"] for report in reports if report["event"] == "training.sample"]
    assert [(sample["step"], sample["sample_index"], sample["sample_prompt"]) for sample in samples] == [
        (step, index, prompt) for step in (0, 6, 12) for index, prompt in enumerate(["one", "two"])
    ]
    assert {sample["sample_path"] for sample in samples} == set(os.listdir(place.root / "samples"))
    assert sorted(os.listdir(place.root / "checkpoints")) == ["step_000006.safetensors", "step_000012.safetensors"]
    assert read_header(place.root / "lora.safetensors")["__metadata__"]["modelspec.trigger_phrase"] == "pipbot"


def test_the_same_seed_trains_the_same_and_another_one_does_not(tmp_path: Path) -> None:
    outcomes = []
    for number, seed in enumerate((7, 7, 8)):
        (tmp_path / str(number)).mkdir()
        place = Place(tmp_path / str(number))
        assert place.train(place.job(seed=seed)) == 0
        losses = [report["fields"]["loss"] for report in place.reports() if report["event"] == "training.step"]
        samples = [path.read_bytes() for path in sorted((place.root / "samples").iterdir())]
        outcomes.append((losses, samples, (place.root / "lora.safetensors").read_bytes()))

    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] != outcomes[2][0]
    assert outcomes[0][1] != outcomes[2][1]


def test_its_samples_emerge_from_noise(place: Place) -> None:
    assert place.train(place.job(steps=40, sample_every_n_steps=10, resolution=128)) == 0

    images = [Image.open(path).convert("L") for path in sorted((place.root / "samples").iterdir())]
    roughness = [_roughness(image) for image in images]
    assert roughness == sorted(roughness, reverse=True)
    assert roughness[0] > 3 * roughness[-1]


def _roughness(image: Image.Image) -> float:
    """Mean difference between neighbouring pixels, above the caption."""
    width, height = image.size
    pixels = image.load()
    rows = range(height * 3 // 4)
    total = sum(abs(pixels[x, y] - pixels[x + 1, y]) for y in rows for x in range(width - 1))
    return total / (len(rows) * (width - 1))


def test_an_exception_is_reported_with_its_type_and_whole_stack(place: Place) -> None:
    assert place.train(place.job(fail_mode="oom", fail_at_step=3)) == 1

    last = place.reports()[-1]
    assert (last["event"], last["level"]) == ("log", "ERROR")
    assert last["fields"]["error_type"] == "torch.OutOfMemoryError"
    assert last["fields"]["error_stack"].startswith("Traceback (most recent call last):")
    assert "in train" in last["fields"]["error_stack"]


def test_a_stop_request_saves_a_checkpoint_and_ends_with_its_own_code(place: Place) -> None:
    (place.root / "requests" / "stop").touch()

    assert place.train(place.job()) == EXIT_STOPPED

    assert os.listdir(place.root / "checkpoints") == ["step_000001.safetensors"]
    assert not (place.root / "lora.safetensors").exists()


@pytest.mark.parametrize("arguments", [[], ["mock"], ["mock", "/no/such/file"], ["nonsense", "x"]])
def test_a_process_started_wrongly_says_so(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "isengard.trainers.host", *arguments], capture_output=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr.startswith(b"isengard.trainers.host: cannot start")


@pytest.mark.parametrize(
    ("exit_code", "stopped", "outcome"),
    [
        (0, False, "completed"),
        (0, True, "completed"),
        (1, False, "failed"),
        (-9, False, "failed"),
        (20, False, "failed"),
        (20, True, "cancelled"),
        (1, True, "cancelled"),
        (-15, True, "cancelled"),
    ],
)
def test_an_ending_is_judged_by_exit_code_and_request(exit_code: int, stopped: bool, outcome: str) -> None:
    assert HostObserver().verdict(Ending(exit_code, stopped)).outcome == outcome


def test_a_requested_sample_or_save_is_taken_once(place: Place) -> None:
    run = place.run(place.job())
    assert not run.sample_requested()
    (place.root / "requests" / "sample").touch()
    (place.root / "requests" / "save").touch()

    assert (run.sample_requested(), run.sample_requested()) == (True, False)
    assert (run.save_requested(), run.save_requested()) == (True, False)
    assert not run.stop_requested
    with pytest.raises(TrainingStopped):
        run.stop()


def test_a_checkpoint_is_there_whole_or_not_at_all(place: Place) -> None:
    run = place.run(place.job())

    with run.new_checkpoint("step_5", step=5) as path:
        path.mkdir()
        (path / "weights").write_bytes(b"whole")
        assert not (place.root / "checkpoints" / "step_5").exists()
    with pytest.raises(ZeroDivisionError), run.new_checkpoint("step_6", step=6) as path:
        path.write_bytes(bytes(1 // (path.write_bytes(b"half") - 4)))

    assert (place.root / "checkpoints" / "step_5" / "weights").read_bytes() == b"whole"
    assert not (place.root / "checkpoints" / "step_6").exists()
    assert [report["fields"] for report in place.reports()] == [{"step": 5, "checkpoint_path": "step_5"}]


def test_a_loss_that_is_no_number_is_a_warning(place: Place) -> None:
    run = place.run(place.job())

    run.step(3, loss=float("nan"), lr=1e-4, grad_norm=float("inf"))

    (report,) = place.reports()
    assert report["level"] == "WARN"
    assert "loss" not in report["fields"]
    assert "metrics" not in report["fields"]


def test_the_callback_takes_any_event_and_knows_its_kind(place: Place) -> None:
    run = place.run(place.job())
    for event in (
        TrainingProgressEvent(stage=TrainingStage.TRAINING, message="go"),
        TrainingProgressEvent(step=1, loss=0.5),
        TrainingProgressEvent(step=1, sample_path="a.png"),
        TrainingProgressEvent(step=1, checkpoint_path="c"),
        TrainingProgressEvent(message="hello"),
    ):
        run.report(event)

    kinds = [(report["event"], report["msg"]) for report in place.reports()]
    assert kinds == [
        ("job.stage", "go"),
        ("training.step", ""),
        ("training.sample", ""),
        ("training.checkpoint", ""),
        ("log", "hello"),
    ]
