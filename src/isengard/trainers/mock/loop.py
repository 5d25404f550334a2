"""The mock trainer's loop, in the stages of a real training.

What it leaves is real: readable sample images, safetensors checkpoints that a resume goes on from, a final LoRA file.
"""

from __future__ import annotations

import time

from isengard.events.models import TrainingStage
from isengard.trainers.base import TrainingJob
from isengard.trainers.mock import curve, picture
from isengard.trainers.mock.fail_mode import FailMode
from isengard.trainers.mock.failures import fail
from isengard.trainers.mock.lora_file import write_lora
from isengard.trainers.mock.trainer import MockParameters
from isengard.trainers.run import TrainingRun
from isengard.trainers.weights import read_header

_SAMPLE_PIXELS = 256


class Loop:
    """One run of the mock."""

    def __init__(self, run: TrainingRun, parameters: MockParameters) -> None:
        self._run = run
        self._parameters = parameters
        self._job = run.job
        self._prompts = parameters.sample_prompts or [f"a photo of {self._job.trigger_word}"]
        self._fail_at = parameters.fail_at_step or max(1, parameters.steps // 2)
        self._saved_step = -1

    def run(self) -> None:
        """Train to the end, or stop when asked."""
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
