"""The real trainer on the shipped tiny model: real worker, runner and trainer processes, a real LoRA at the end."""

from __future__ import annotations

import functools
import os
import signal
import warnings
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from isengard.datasets import demo
from isengard.execution import control
from isengard.jobs.models import Job, JobStatus
from isengard.trainers.diffusers.demo import CONFIG
from standins import workbench
from standins.workbench import Workbench

_PATIENT = functools.partial(workbench.eventually, patience_s=300.0)  # torch alone takes seconds to be imported


def _submit(bench: Workbench, **config: Any) -> Job:
    asked = {
        **CONFIG,
        "batch_size": 3,
        "sample_prompts": ["pip on a red background"],
        "sample_every_n_steps": 0,
        "checkpoint_every_n_steps": 0,
        **config,
    }
    job, _ = control.submit(
        bench.settings, bench.store, character_id=bench.character.id, trainer="diffusers", config=asked
    )
    bench.jobs.append(job.id)
    return job


def _finish(bench: Workbench, job: Job) -> Job:
    _PATIENT(lambda: bench.store.get_job(job.id).status.is_terminal, f"{job.id} being over")
    return bench.finish(job)


def _draw(seed: int, lora: str | None = None) -> np.ndarray[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline = StableDiffusionPipeline.from_pretrained(
            demo.tiny_model(), dtype=torch.float32, safety_checker=None, local_files_only=True
        )
        if lora is not None:
            pipeline.load_lora_weights(lora)
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline(
        "pip on a red background",
        negative_prompt="",
        height=32,
        width=32,
        num_inference_steps=6,
        guidance_scale=5.0,
        generator=torch.Generator("cpu").manual_seed(seed),
    ).images[0]
    return np.asarray(image, dtype=np.int16)


def test_a_training_ends_with_a_lora_that_draws_its_own_last_sample(bench: Workbench) -> None:
    bench.start_worker(OMP_NUM_THREADS="1")
    job = _submit(bench, steps=40, sample_every_n_steps=40, sample_steps=6)

    done = _finish(bench, job)

    assert done.status is JobStatus.COMPLETED, done.error_message
    losses = [entry.fields["loss"] for entry in bench.of(job, "training.step")]
    assert len(losses) == 40
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    samples = [entry.fields for entry in bench.of(job, "training.sample")]
    assert [(sample["step"], sample["sample_seed"]) for sample in samples] == [(0, 42), (40, 42)]
    drawn = [
        np.asarray(Image.open(bench.paths(job).samples / sample["sample_path"]), dtype=np.int16) for sample in samples
    ]
    assert abs(_draw(42) - drawn[0]).max() <= 1, "the first sample is not the untrained model's"
    assert done.output_path is not None
    (lora,) = bench.settings.paths.loras(bench.character.id).glob("*.safetensors")
    assert abs(_draw(42, str(lora)) - drawn[1]).max() <= 1, "the LoRA does not draw the last sample"
    assert abs(drawn[1] - drawn[0]).mean() > 5, "nothing was learnt"


def test_a_killed_training_goes_on_with_the_losses_it_would_have_had(bench: Workbench) -> None:
    bench.start_worker(OMP_NUM_THREADS="1")
    whole = _submit(bench, steps=16)
    assert _finish(bench, whole).status is JobStatus.COMPLETED
    job = _submit(bench, steps=16, checkpoint_every_n_steps=6)
    _PATIENT(lambda: len(bench.of(job, "training.step")) >= 8, "eight steps")
    os.kill(bench.trainer_pid(job), signal.SIGKILL)
    assert _finish(bench, job).status is JobStatus.FAILED

    control.resume(bench.settings, bench.store, job.id)

    assert _finish(bench, job).status is JobStatus.COMPLETED
    expected = {entry.fields["step"]: entry.fields["loss"] for entry in bench.of(whole, "training.step")}
    steps = [entry.fields for entry in bench.of(job, "training.step")]
    second = [step["step"] for step in steps if step["attempt"] == 2]
    assert second[0] in (7, 13)
    assert second[-1] == 16
    assert all(abs(step["loss"] - expected[step["step"]]) < 1e-6 for step in steps)


def test_a_cause_of_failure_reaches_the_job(bench: Workbench) -> None:
    bench.start_worker(OMP_NUM_THREADS="1")
    job = _submit(bench, steps=5, optimizer="adamw8bit")

    failed = _finish(bench, job)

    assert failed.status is JobStatus.FAILED
    assert "bitsandbytes" in (failed.error_message or "")
    assert "Traceback" in bench.of(job, "job.failed")[0].fields["error_stack"]
