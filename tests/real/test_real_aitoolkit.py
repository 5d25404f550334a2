"""The real ai-toolkit, unpatched, on a tiny model and the processor: what the journal says against what it left.

ISENGARD_AITOOLKIT_DIR names its checkout, ISENGARD_AITOOLKIT_PYTHON its interpreter. Each test takes about a minute.
"""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from isengard.execution import control, export
from isengard.jobs.models import Job, JobStatus
from standins import tiny_pipelines
from standins.workbench import Workbench, eventually, workbench

PATIENCE_S = 600.0
ENDED = {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}
SMALL: dict[str, Any] = {
    "device": "cpu",
    "optimizer": "adamw",
    "steps": 12,
    "resolution": 64,
    "lora_rank": 4,
    "sample_every_n_steps": 0,
    "checkpoint_every_n_steps": 0,
    "sample_steps": 2,
    "sample_prompts": ["one", "two"],
}
FIRST_STEP_IS_NEVER_LOGGED = 1


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pipelines.stable_diffusion(tmp_path_factory.mktemp("model"))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    real = {"aitoolkit_dir": Path(os.environ["ISENGARD_AITOOLKIT_DIR"])}
    if python := os.environ.get("ISENGARD_AITOOLKIT_PYTHON"):
        real["aitoolkit_python"] = Path(python)
    with workbench(tmp_path / "data", grace_period_s=120.0, **real) as made:
        made.start_worker()
        yield made


def submit(bench: Workbench, model: Path, **config: Any) -> Job:
    wanted = {**SMALL, "base_model": str(model), **config}
    job, _ = control.submit(
        bench.settings, bench.store, character_id=bench.character.id, trainer="ai-toolkit", config=wanted
    )
    bench.jobs.append(job.id)
    return job


def finish(bench: Workbench, job: Job, attempt: int = 1) -> Job:
    def over() -> Job | None:
        present = bench.store.get_job(job.id)
        return present if present.status in ENDED and present.attempt == attempt else None

    done = eventually(over, f"attempt {attempt} of {job.id} being over", PATIENCE_S)
    assert bench.survivors(job) == []
    return done


def wait_for_step(bench: Workbench, job: Job, step: int) -> None:
    def there() -> bool:
        return any(entry.fields["step"] >= step for entry in bench.of(job, "training.step"))

    eventually(there, f"step {step}", PATIENCE_S)


def steps(bench: Workbench, job: Job, attempt: int = 1) -> dict[int, float]:
    """Each step of an attempt with its loss; no step is told twice."""
    told = [entry.fields for entry in bench.of(job, "training.step") if entry.fields["attempt"] == attempt]
    numbers = [fields["step"] for fields in told]
    assert numbers == sorted(set(numbers))
    return {fields["step"]: fields["loss"] for fields in told}


def root(bench: Workbench, job: Job) -> Path:
    return bench.paths(job).trainer / "aitoolkit" / job.id


def logged(bench: Workbench, job: Job) -> dict[int, float]:
    with closing(sqlite3.connect(root(bench, job) / "loss_log.db")) as connection:
        rows = connection.execute("SELECT step, value_real FROM metrics WHERE key = 'loss/loss'").fetchall()
    return {int(step): float(value) for step, value in rows}


def test_the_journal_says_what_the_run_left_behind(bench: Workbench, model: Path) -> None:
    job = submit(bench, model, sample_every_n_steps=5, checkpoint_every_n_steps=4)
    done = finish(bench, job)
    assert done.status is JobStatus.COMPLETED, done.error_message

    told, exact = steps(bench, job), logged(bench, job)
    assert list(told) == list(range(12))
    assert len(exact) == 12 - FIRST_STEP_IS_NEVER_LOGGED
    assert {step: told[step] for step in exact} == exact

    samples = [entry.fields for entry in bench.of(job, "training.sample")]
    shown = [(one["step"], one["sample_index"], one["sample_prompt"], one["sample_seed"]) for one in samples]
    assert shown == [(step, index, ("one", "two")[index], 42) for step in (0, 5, 10, 12) for index in (0, 1)]
    left = sorted(path for path in (root(bench, job) / "samples").iterdir() if path.is_file())
    for entry, original in zip(samples, left, strict=True):
        kept = bench.paths(job).samples / entry["sample_path"]
        assert kept.read_bytes() == original.read_bytes()
        with Image.open(kept) as picture:
            assert picture.size == (64, 64)

    saves = [entry.fields for entry in bench.of(job, "training.checkpoint")]
    assert [save["step"] for save in saves] == [4, 8]
    for save in saves:
        assert (bench.paths(job).checkpoints / save["checkpoint_path"]).stat().st_size == save["size_bytes"] > 0
    assert export.check(Path(done.output_path or "")) > 0

    stages = [entry.fields["stage"] for entry in bench.of(job, "job.stage")]
    assert list(dict.fromkeys(stages)) == [
        "preparing_dataset",
        "captioning",
        "initializing",
        "sampling",
        "training",
        "exporting",
    ]


def test_save_and_stop_keeps_the_step_and_resume_goes_on_from_it(bench: Workbench, model: Path) -> None:
    job = submit(bench, model, steps=60, skip_first_sample=True)
    wait_for_step(bench, job, 5)
    control.request(bench.settings, bench.store, job.id, "save")
    control.cancel(bench.settings, bench.store, job.id)
    assert finish(bench, job).status is JobStatus.CANCELLED
    [save] = bench.of(job, "training.checkpoint")

    control.resume(bench.settings, bench.store, job.id)
    assert finish(bench, job, attempt=2).status is JobStatus.COMPLETED
    again, exact = steps(bench, job, attempt=2), logged(bench, job)
    assert list(again) == list(range(save.fields["step"], 60))
    assert {step: again[step] for step in list(again)[1:]} == {step: exact[step] for step in list(again)[1:]}


def test_a_killed_run_names_its_signal_and_resumes_from_its_last_save(bench: Workbench, model: Path) -> None:
    job = submit(bench, model, steps=40, checkpoint_every_n_steps=10, skip_first_sample=True)
    wait_for_step(bench, job, 12)
    os.kill(bench.trainer_pid(job), signal.SIGKILL)
    failed = finish(bench, job)
    assert failed.status is JobStatus.FAILED
    assert "SIGKILL" in (failed.error_message or "")
    newest = max(entry.fields["step"] for entry in bench.of(job, "training.checkpoint"))
    torn = root(bench, job) / f"{job.id}_000000039.safetensors"
    torn.write_bytes(b"\x10\0\0\0\0\0\0\0{")

    control.resume(bench.settings, bench.store, job.id)
    assert finish(bench, job, attempt=2).status is JobStatus.COMPLETED
    assert min(steps(bench, job, attempt=2)) == newest


def test_samples_and_saves_can_be_had_at_once_and_a_stop_is_a_cancel(bench: Workbench, model: Path) -> None:
    job = submit(bench, model, steps=5000, skip_first_sample=True)
    wait_for_step(bench, job, 3)
    control.request(bench.settings, bench.store, job.id, "sample")
    eventually(lambda: len(bench.of(job, "training.sample")) == 2, "two samples", PATIENCE_S)
    control.request(bench.settings, bench.store, job.id, "save")
    eventually(lambda: bench.of(job, "training.checkpoint"), "a checkpoint", PATIENCE_S)
    control.cancel(bench.settings, bench.store, job.id)
    assert finish(bench, job).status is JobStatus.CANCELLED
    assert bench.of(job, "subprocess.exit")[-1].fields["exit_code"] == 1


def test_a_loss_that_is_not_a_number_is_told_and_never_counted_as_zero(bench: Workbench, model: Path) -> None:
    job = submit(bench, model, steps=8, extra={"train": {"lr": 1e30}}, skip_first_sample=True)
    finish(bench, job)
    broken = [entry for entry in bench.of(job, "training.step") if entry.level == "WARN"]
    assert broken
    assert all("loss" not in entry.fields and "not a number" in entry.msg for entry in broken)
    assert any("counts it as 0" in entry.msg for entry in bench.of(job, "log"))


def test_a_model_that_is_not_there_is_the_cause_that_is_shown(bench: Workbench, tmp_path: Path) -> None:
    job = submit(bench, tmp_path / "nothing")
    failed = finish(bench, job)
    assert failed.status is JobStatus.FAILED
    assert "nothing" in (failed.error_message or "")
    fields = bench.of(job, "job.failed")[0].fields
    assert fields["error_stack"].startswith("Traceback")
    assert fields["cause"]["code"] != "unknown"
