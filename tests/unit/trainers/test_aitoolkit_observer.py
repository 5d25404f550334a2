"""ai-toolkit followed by its observer, against a process that behaves as the real one does."""

import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from isengard.core.settings import Settings
from isengard.events.models import EventName, Level
from isengard.events.reports import Report
from isengard.trainers.aitoolkit.parameters import AIToolkitParameters
from isengard.trainers.aitoolkit.trainer import AIToolkitTrainer
from isengard.trainers.base import Ending, TrainingJob, Verdict
from standins.following import Followed

STANDIN = Path(__file__).parents[2] / "standins" / "aitoolkit"


class Run:
    """Starts the stand-in as the trainer says and feeds an observer, as the runner does."""

    def __init__(self, folder: Path, *, attempt: int = 1, **config: Any) -> None:
        for name in ("samples", "checkpoints", "trainer/requests", "dataset"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        settings = {"steps": 12, "sample_every_n_steps": 4, "checkpoint_every_n_steps": 5, "sample_prompts": ["a", "b"]}
        self.job = TrainingJob(
            job_id="train-standin",
            correlation_id="corr-1",
            character_id="char-1",
            character_name="Ada",
            trigger_word="adx",
            config=AIToolkitParameters(**(settings | config)).model_dump(mode="json"),
            dataset=folder / "dataset",
            samples=folder / "samples",
            checkpoints=folder / "checkpoints",
            workdir=folder / "trainer",
            output=folder / "loras" / "final.safetensors",
            attempt=attempt,
        )
        self.requests = folder / "trainer" / "requests"
        self.reports: list[Report] = []
        self.ended_with = 0

    def follow(self, *, ask: dict[int, str] | None = None, **environment: str) -> Verdict:
        """Run to the end; `ask` leaves requests when a step is reported."""
        trainer = AIToolkitTrainer()
        settings = Settings(aitoolkit_dir=STANDIN, aitoolkit_python=Path(sys.executable))
        assert trainer.availability(settings).ok
        launch = trainer.launch(self.job, settings)
        waiting = dict(ask or {})

        def request(reports: list[Report]) -> bool:
            told = {report.fields.get("step") for report in reports if report.event is EventName.TRAINING_STEP}
            for step in [step for step in waiting if step in told]:
                for marker in waiting.pop(step).split():
                    (self.requests / marker).touch()
            return (self.requests / "stop").exists()

        followed = Followed(launch, trainer.observer(self.job), environment, request)
        self.reports, self.ended_with = followed.reports, followed.exit_code
        self.steps, self.of = followed.steps, followed.of
        return followed.verdict

    def logged(self) -> dict[int, float]:
        path = self.job.workdir / "aitoolkit" / self.job.job_id / "loss_log.db"
        with sqlite3.connect(path) as connection:
            rows = connection.execute("SELECT step, value_real FROM metrics WHERE key = 'loss/loss'").fetchall()
        connection.close()
        return {int(step): float(value) for step, value in rows}


def test_every_step_is_told_once_with_the_loss_that_the_log_holds(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.follow() == Verdict("completed")
    assert run.steps() == list(range(12))
    told = {report.fields["step"]: report.fields["loss"] for report in run.of(EventName.TRAINING_STEP)}
    logged = run.logged()
    assert len(logged) == 11  # the first step of a run is never logged
    assert {step: told[step] for step in logged} == logged
    assert all(report.fields["steps_total"] == 12 for report in run.of(EventName.TRAINING_STEP))


def test_a_version_without_a_log_is_followed_by_its_bar(tmp_path: Path) -> None:
    run = Run(tmp_path)
    observer = AIToolkitTrainer().observer(run.job)
    told = []
    for step in range(8):
        for n, loss in ((step, 1.0 / (1 + step)), (step + 1, 1.0 / (1 + step))):
            frame = f"{run.job.job_id}:  10%|█| {n}/12 [00:01<00:02, 1.00it/s, lr: 1.0e-04 loss: {loss:.3e}]"
            told += [report for report in observer.line("stderr", frame) if report.event is EventName.TRAINING_STEP]
    assert [report.fields["step"] for report in told] == list(range(8))
    assert [report.fields["loss"] for report in told] == [float(f"{1 / (1 + n):.3e}") for n in range(8)]


def test_samples_carry_step_index_and_prompt_and_are_the_jobs_own(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.follow()
    samples = [
        (report.fields["step"], report.fields["sample_index"], report.fields["sample_prompt"])
        for report in run.of(EventName.TRAINING_SAMPLE)
    ]
    assert samples == [(step, index, "ab"[index]) for step in (0, 4, 8, 12) for index in (0, 1)]
    for report in run.of(EventName.TRAINING_SAMPLE):
        assert (run.job.samples / report.fields["sample_path"]).stat().st_size > 0


def test_checkpoints_and_the_final_lora_arrive(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.follow()
    assert [report.fields["step"] for report in run.of(EventName.TRAINING_CHECKPOINT)] == [5, 10]
    assert run.job.output.stat().st_size > 0


def test_stages_come_in_the_order_of_the_run(tmp_path: Path) -> None:
    run = Run(tmp_path, sample_every_n_steps=0)
    run.follow()
    stages = [report.fields["stage"] for report in run.of(EventName.JOB_STAGE)]
    order = list(dict.fromkeys(stages))
    assert order == ["initializing", "preparing_dataset", "sampling", "training"]


def test_a_stop_is_a_cancel_though_it_exits_with_1_and_a_traceback(tmp_path: Path) -> None:
    run = Run(tmp_path, steps=500)
    verdict = run.follow(ask={3: "stop"}, STANDIN_STEP_S="0.02")
    assert run.ended_with == 1
    assert verdict == Verdict("cancelled")


def test_save_and_stop_keeps_a_checkpoint_before_it_ends(tmp_path: Path) -> None:
    run = Run(tmp_path, steps=500, checkpoint_every_n_steps=0)
    verdict = run.follow(ask={3: "save stop"}, STANDIN_STEP_S="0.02")
    assert verdict == Verdict("cancelled")
    assert len(run.of(EventName.TRAINING_CHECKPOINT)) == 1


def test_sample_now_gives_samples_between_the_planned_ones(tmp_path: Path) -> None:
    run = Run(tmp_path, steps=40, sample_every_n_steps=100)
    run.follow(ask={3: "sample"}, STANDIN_STEP_S="0.02")
    steps = sorted({report.fields["step"] for report in run.of(EventName.TRAINING_SAMPLE)})
    assert len(steps) == 3
    assert steps[0] == 0 < steps[1] < steps[2] == 40


def test_a_resumed_run_goes_on_from_its_newest_whole_checkpoint(tmp_path: Path) -> None:
    first = Run(tmp_path)
    first.follow(STANDIN_FAIL="crash", STANDIN_FAIL_AT="11")
    torn = first.job.workdir / "aitoolkit" / first.job.job_id / f"{first.job.job_id}_000000011.safetensors"
    torn.write_bytes(b"\x00\x01")
    second = Run(tmp_path, attempt=2)
    assert second.follow() == Verdict("completed")
    assert second.steps() == [10, 11]


@pytest.mark.parametrize(
    ("fail", "error_type", "words"),
    [
        ("crash", "ValueError", "Expected all tensors"),
        ("oom", "RuntimeError", "OOM during training step"),
        ("gated", "OSError", "gated repo"),
    ],
)
def test_a_failure_shows_its_cause_and_stack(tmp_path: Path, fail: str, error_type: str, words: str) -> None:
    verdict = Run(tmp_path).follow(STANDIN_FAIL=fail)
    assert verdict.outcome == "failed"
    assert verdict.error_type == error_type
    assert words in (verdict.error or "")
    assert (verdict.error_stack or "").startswith("Traceback (most recent call last):")


def test_a_loss_that_is_not_a_number_is_told(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.follow(STANDIN_FAIL="nan")
    warnings = [report.msg for report in run.of(EventName.LOG) if report.level is Level.WARN]
    assert len(warnings) == 1
    assert "not a number" in warnings[0]


def test_an_interrupt_from_outside_is_neither_success_nor_cancel(tmp_path: Path) -> None:
    run = Run(tmp_path)
    observer = AIToolkitTrainer().observer(run.job)
    verdict = observer.verdict(Ending(0, stop_requested=False))
    assert verdict.outcome == "failed"
    assert verdict.error_type == "MissingOutput"


def test_a_missing_checkout_says_how_to_get_one(tmp_path: Path) -> None:
    trainer = AIToolkitTrainer()
    assert "ISENGARD_AITOOLKIT_DIR" in trainer.availability(Settings()).missing[0]
    missing = trainer.availability(Settings(aitoolkit_dir=tmp_path)).missing
    assert "run.py" in missing[0]
    assert "ISENGARD_AITOOLKIT_PYTHON" in missing[1]
