"""Other people's training commands, followed by their profiles."""

import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from isengard.core.errors import InvalidInput
from isengard.core.settings import Settings
from isengard.events.models import EventName
from isengard.trainers.base import TrainingJob, Verdict
from isengard.trainers.causes import Evidence, diagnose
from isengard.trainers.command import profile, template
from isengard.trainers.command.parameters import CommandParameters
from isengard.trainers.command.trainer import CommandTrainer
from standins.following import Followed

STANDIN = Path(__file__).parents[2] / "standins" / "commands" / "train.py"


def make_job(folder: Path, **config: Any) -> TrainingJob:
    for name in ("samples", "checkpoints", "trainer", "dataset"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return TrainingJob(
        job_id="train-command",
        correlation_id="corr-1",
        character_id="char-1",
        character_name="Ada",
        trigger_word="adx",
        config=CommandParameters(**({"steps": 8} | config)).model_dump(mode="json"),
        dataset=folder / "dataset",
        samples=folder / "samples",
        checkpoints=folder / "checkpoints",
        workdir=folder / "trainer",
        output=folder / "loras" / "ada.safetensors",
    )


def follow(job: TrainingJob) -> Followed:
    trainer = CommandTrainer()
    return Followed(trainer.launch(job, Settings()), trainer.observer(job), {}, lambda _reports: False)


def run(folder: Path, flavour: str, failure: str = "", **config: Any) -> tuple[TrainingJob, Followed]:
    name = "generic" if flavour == "plain" else flavour
    command = [sys.executable, str(STANDIN), flavour, "{output_dir}", "{output_name}", "{steps}", failure]
    job = make_job(folder, command=command, profile=name, **config)
    return job, follow(job)


@pytest.mark.parametrize("flavour", ["kohya", "diffusers", "simpletuner", "plain"])
def test_every_step_arrives_once_with_its_own_loss(tmp_path: Path, flavour: str) -> None:
    job, followed = run(tmp_path, flavour)
    assert followed.verdict == Verdict("completed")
    assert followed.steps() == list(range(1, 9))
    losses = {report.fields["step"]: report.fields["loss"] for report in followed.of(EventName.TRAINING_STEP)}
    assert losses == {step: pytest.approx(1 / step, rel=0.01) for step in range(1, 9)}
    assert job.output.stat().st_size > 0


@pytest.mark.parametrize("flavour", ["diffusers", "simpletuner", "plain"])
def test_the_learning_rate_comes_along_where_it_is_printed(tmp_path: Path, flavour: str) -> None:
    _, followed = run(tmp_path, flavour)
    assert all(report.fields["lr"] > 0 for report in followed.of(EventName.TRAINING_STEP))


@pytest.mark.parametrize(("flavour", "steps"), [("kohya", [4, 8]), ("simpletuner", [4, 8])])
def test_samples_are_found_with_their_step(tmp_path: Path, flavour: str, steps: list[int]) -> None:
    job, followed = run(tmp_path, flavour, sample_prompts=["a fox"])
    samples = followed.of(EventName.TRAINING_SAMPLE)
    assert [report.fields["step"] for report in samples] == steps
    assert {report.fields["sample_prompt"] for report in samples} == {"a fox"}
    assert all((job.samples / report.fields["sample_path"]).stat().st_size > 0 for report in samples)


@pytest.mark.parametrize(("flavour", "steps"), [("kohya", [4, 8]), ("diffusers", [5])])
def test_checkpoints_are_found_with_their_step(tmp_path: Path, flavour: str, steps: list[int]) -> None:
    _, followed = run(tmp_path, flavour)
    assert [report.fields["step"] for report in followed.of(EventName.TRAINING_CHECKPOINT)] == steps


def test_a_crash_shows_its_stack_and_is_recognised(tmp_path: Path) -> None:
    _, followed = run(tmp_path, "kohya", "crash")
    verdict = followed.verdict
    assert (verdict.outcome, verdict.error_type) == ("failed", "RuntimeError")
    assert diagnose(Evidence(verdict.error_type or "", verdict.error or "")).code == "cuda-oom"


def test_success_without_a_lora_is_none(tmp_path: Path) -> None:
    job, followed = run(tmp_path, "plain", "empty")
    assert followed.verdict.error_type == "MissingOutput"
    assert f"looked for {job.output.stem}.safetensors" in (followed.verdict.error or "")


def test_a_run_that_needs_no_lora_may_end_without_one(tmp_path: Path) -> None:
    _, followed = run(tmp_path, "plain", "empty", expect_lora=False)
    assert followed.verdict == Verdict("completed", leaves_lora=False)


def test_a_value_stays_inside_its_argument(tmp_path: Path) -> None:
    job = make_job(
        tmp_path, command=["echo", "--p={prompt}", "{{literal}}"], sample_prompts=["a; rm -rf / $(id) {steps}"]
    )
    filled = template.fill(job.config["command"], template.values(job, tmp_path))
    assert filled == ["echo", "--p=a; rm -rf / $(id) {steps}", "{literal}"]


@pytest.mark.parametrize(("argument", "words"), [("{datset}", "{datset}"), ("100%{", "stands alone")])
def test_an_unknown_place_is_named(tmp_path: Path, argument: str, words: str) -> None:
    job = make_job(tmp_path, command=["echo"])
    with pytest.raises(InvalidInput, match="command") as refused:
        template.fill(["echo", argument], template.values(job, tmp_path))
    assert words in refused.value.detail
    with pytest.raises(ValidationError, match=words):  # before there is a job that would fail
        CommandParameters(command=["echo", argument])


def test_what_a_command_may_name_is_known_before_there_is_a_job(tmp_path: Path) -> None:
    job = make_job(tmp_path, command=["echo"])
    assert set(template.values(job, tmp_path)) == set(template.KNOWN)


@pytest.mark.parametrize(
    "config",
    [
        {"command": []},
        {"command": [" "]},
        {"command": ["a\0b"]},
        {"command": ["a"], "profile": "nonsense"},
        {"command": ["a"], "env": {"LD_PRELOAD": "x"}},
        {"command": ["a"], "env": {"1X": "x"}},
    ],
)
def test_bad_settings_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CommandParameters(**config)


def test_every_ready_profile_loads() -> None:
    assert profile.names() == ["diffusers", "generic", "kohya", "simpletuner"]
    assert all(profile.load(name).title for name in profile.names())


def test_a_profile_of_ones_own_is_read_and_its_mistakes_are_named(tmp_path: Path) -> None:
    good = tmp_path / "mine.yaml"
    good.write_text("bar: Training\nloss: [objective]\n")
    assert profile.load(str(good)).loss == ("objective",)
    bad = tmp_path / "bad.yaml"
    bad.write_text("bar: '('\n")
    with pytest.raises(InvalidInput, match="bar"):
        profile.load(str(bad))


@pytest.mark.parametrize(
    ("line", "steps"),
    [
        (f"step {'9' * 5000} loss 0.5", []),
        ("step 7 loss 1.2.3", [(7, None)]),
        ("step 7 loss 0.5", [(7, 0.5)]),
    ],
)
def test_a_printed_number_that_is_none_costs_nothing_else(
    tmp_path: Path, line: str, steps: list[tuple[int, float | None]]
) -> None:
    observer = CommandTrainer().observer(make_job(tmp_path, command=["true"]))
    told = [*observer.line("stdout", line), *observer.ended()]
    told_steps = [report.fields for report in told if report.event is EventName.TRAINING_STEP]
    assert [(fields["step"], fields.get("loss")) for fields in told_steps] == steps


def test_a_sample_whose_name_holds_a_giant_number_is_brought_all_the_same(tmp_path: Path) -> None:
    job = make_job(tmp_path, command=["true"])
    observer = CommandTrainer().observer(job)
    samples = job.workdir / "output" / "samples"
    samples.mkdir(parents=True)
    (samples / f"x{'9' * 200}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + b"IEND\xaeB`\x82")
    [report] = observer.poll()
    assert report.event is EventName.TRAINING_SAMPLE
    assert (job.samples / report.fields["sample_path"]).exists()
