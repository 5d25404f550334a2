"""The mock trainer's loop. It needs no GPU, no download and no package beyond the base install.

What it leaves is real: readable sample images, safetensors checkpoints that a resume goes on from, a final LoRA file.
"""

from __future__ import annotations

import time
from typing import ClassVar

from pydantic import Field, JsonValue

from isengard.events.models import TrainingStage
from isengard.trainers.base import TrainingJob, TrainingParameters
from isengard.trainers.host import PythonTrainer
from isengard.trainers.mock import curve, picture
from isengard.trainers.mock.failures import FailMode, fail
from isengard.trainers.mock.lora_file import write_lora
from isengard.trainers.run import TrainingRun
from isengard.trainers.weights import read_header

_SAMPLE_PIXELS = 256
_ADVANCED: dict[str, JsonValue] = {"group": "advanced"}


class MockParameters(TrainingParameters):
    """The common parameters, the speed, and the ways to go wrong."""

    steps: int = Field(200, ge=1, le=1_000_000, description="Optimizer steps.", json_schema_extra={"group": "common"})
    sample_every_n_steps: int = Field(
        50, ge=0, le=1_000_000, description="Steps between samples; 0 for none.", json_schema_extra={"group": "common"}
    )
    checkpoint_every_n_steps: int = Field(
        100,
        ge=0,
        le=1_000_000,
        description="Steps between checkpoints; 0 for the final one only.",
        json_schema_extra={"group": "common"},
    )
    step_time_s: float = Field(
        0.02, ge=0, le=3600, description="Duration of a step.", json_schema_extra={**_ADVANCED, "unit": "s"}
    )
    start_time_s: float = Field(
        0, ge=0, le=3600, description="Duration of loading the model.", json_schema_extra={**_ADVANCED, "unit": "s"}
    )
    fail_mode: FailMode = Field(
        FailMode.NONE, description="What goes wrong, as real trainings do.", json_schema_extra=_ADVANCED
    )
    fail_at_step: int | None = Field(
        None, ge=1, le=1_000_000, description="When it goes wrong; halfway if empty.", json_schema_extra=_ADVANCED
    )
    fail_exit_code: int = Field(
        3, ge=1, le=255, description="The exit code of `fail_mode` `exit_code`.", json_schema_extra=_ADVANCED
    )


class MockTrainer(PythonTrainer):
    """Trains nothing, convincingly."""

    name: ClassVar[str] = "mock"
    title: ClassVar[str] = "Mock"
    description: ClassVar[str] = "A training without a GPU: seeded loss curve, samples, checkpoints, and real failures."
    parameters: ClassVar[type[TrainingParameters]] = MockParameters
    capabilities: ClassVar[frozenset[str]] = frozenset({"resume", "sample_now", "save_now"})

    def train(self, run: TrainingRun) -> None:
        """Run through the stages of a real training."""
        _Loop(run, MockParameters(**run.job.config)).run()


class _Loop:
    """One run of the mock."""

    def __init__(self, run: TrainingRun, parameters: MockParameters) -> None:
        self._run = run
        self._parameters = parameters
        self._job = run.job
        self._prompts = parameters.sample_prompts or [f"a photo of {self._job.trigger_word}"]
        self._fail_at = parameters.fail_at_step or max(1, parameters.steps // 2)
        self._saved_step = -1

    def run(self) -> None:
        self._load()
        self._run.stage(TrainingStage.TRAINING, "training")
        if self._parameters.sample_every_n_steps and not self._job.start_step:
            self._sample(0)
        for step in range(self._job.start_step + 1, self._parameters.steps + 1):
            self._step(step)
        self._export()

    def _load(self) -> None:
        self._run.stage(TrainingStage.INITIALIZING, "loading the model")
        deadline = time.monotonic() + self._parameters.start_time_s
        while (left := deadline - time.monotonic()) > 0:
            self._run.phase("loading model", round(100 * (1 - left / self._parameters.start_time_s), 1))
            self._stop_if_asked(self._job.start_step)
            time.sleep(min(0.25, left))
        if self._job.resume_from is not None:
            _check_resumable(self._job)
            self._run.log(f"resuming from {self._job.resume_from.name} at step {self._job.start_step}")

    def _step(self, step: int) -> None:
        parameters = self._parameters
        time.sleep(parameters.step_time_s)
        if step == self._fail_at and parameters.fail_mode is not FailMode.NONE:
            fail(parameters.fail_mode, self._run, step, parameters.fail_exit_code)
        self._run.step(
            step,
            loss=curve.loss(parameters.seed, step, parameters.steps),
            lr=curve.learning_rate(parameters.learning_rate, step, parameters.steps),
            grad_norm=curve.gradient_norm(parameters.seed, step),
        )
        if _due(step, parameters.checkpoint_every_n_steps) or self._run.save_requested():
            self._save(step)
        if _due(step, parameters.sample_every_n_steps) or self._run.sample_requested():
            self._sample(step)
        self._stop_if_asked(step)

    def _stop_if_asked(self, step: int) -> None:
        if not self._run.stop_requested:
            return
        if step > self._job.start_step and step != self._saved_step:
            self._save(step)
        self._run.stop()

    def _sample(self, step: int) -> None:
        parameters = self._parameters
        for index, prompt in enumerate(self._prompts):
            seed = parameters.seed + index
            size = min(_SAMPLE_PIXELS, parameters.resolution)
            image = picture.sample(prompt, seed, step=step, steps=parameters.steps, size=size)
            self._run.sample(image, step=step, prompt=prompt, index=index, seed=seed)

    def _save(self, step: int) -> None:
        with self._run.new_checkpoint(f"step_{step:06d}.safetensors", step=step) as path:
            write_lora(path, self._job, step)
        self._saved_step = step

    def _export(self) -> None:
        self._run.stage(TrainingStage.EXPORTING, "writing the LoRA")
        if self._parameters.fail_mode is FailMode.NO_OUTPUT:
            return
        write_lora(self._job.output, self._job, self._parameters.steps)
        if self._parameters.fail_mode is FailMode.TORN_OUTPUT:
            with self._job.output.open("r+b") as file:
                file.truncate(self._job.output.stat().st_size // 2)


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _check_resumable(job: TrainingJob) -> None:
    assert job.resume_from is not None  # noqa: S101 - the caller looked
    held = int(read_header(job.resume_from)["__metadata__"]["step"])
    if held != job.start_step:
        raise ValueError(f"{job.resume_from.name} stands at step {held}, not {job.start_step}")
