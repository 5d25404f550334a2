"""ai-toolkit under a real worker and runner, played by the stand-in that behaves as the real one was seen to."""

import json
import os
import signal
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isengard.execution import control
from isengard.jobs.models import Job, JobStatus
from standins.workbench import Workbench, eventually, workbench

STANDIN = Path(__file__).parents[1] / "standins" / "aitoolkit"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    played = {"aitoolkit_dir": STANDIN, "aitoolkit_python": Path(sys.executable)}
    with workbench(tmp_path / "data", **played) as made:
        yield made


def start(bench: Workbench, **environment: str) -> None:
    bench.start_worker(ISENGARD_AITOOLKIT_DIR=str(STANDIN), ISENGARD_AITOOLKIT_PYTHON=sys.executable, **environment)


def submit(bench: Workbench, **config: Any) -> Job:
    small = {"steps": 12, "sample_every_n_steps": 5, "checkpoint_every_n_steps": 4, "device": "cpu"}
    job, _ = control.submit(
        bench.settings,
        bench.store,
        character_id=bench.character.id,
        trainer="ai-toolkit",
        config={"sample_prompts": ["one", "two"], **small, **config},
    )
    bench.jobs.append(job.id)
    return job


def test_a_run_is_told_whole_and_its_lora_says_what_it_is(bench: Workbench) -> None:
    start(bench)
    job = submit(bench)
    done = bench.finish(job)
    assert done.status is JobStatus.COMPLETED, done.error_message
    assert [entry.fields["step"] for entry in bench.of(job, "training.step")] == list(range(12))
    samples = [(entry.fields["step"], entry.fields["sample_prompt"]) for entry in bench.of(job, "training.sample")]
    assert samples == [(step, prompt) for step in (0, 5, 10, 12) for prompt in ("one", "two")]
    assert [entry.fields["step"] for entry in bench.of(job, "training.checkpoint")] == [4, 8]
    phases = {str(entry.fields.get("phase", "")).partition(" ")[0] for entry in bench.of(job, "job.stage")}
    assert {"loading", "caching", "training", "sampling", "saving"} <= phases
    with Path(done.output_path or "").open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        metadata = json.loads(file.read(length))["__metadata__"]
    assert metadata["modelspec.trigger_phrase"] == bench.character.trigger_word
    assert metadata["ss_output_name"] == Path(done.output_path or "").stem


def test_a_killed_run_resumes_from_its_newest_whole_save(bench: Workbench) -> None:
    start(bench, STANDIN_STEP_S="0.1")
    job = submit(bench, steps=30, sample_every_n_steps=0)

    def has_begun() -> bool:
        return any(entry.fields["step"] >= 9 for entry in bench.of(job, "training.step"))

    eventually(has_begun, "step 9")
    os.kill(bench.trainer_pid(job), signal.SIGKILL)
    assert bench.finish(job).status is JobStatus.FAILED
    newest = max(entry.fields["step"] for entry in bench.of(job, "training.checkpoint"))
    control.resume(bench.settings, bench.store, job.id)
    assert bench.finish(job).status is JobStatus.COMPLETED
    again = [entry.fields["step"] for entry in bench.of(job, "training.step") if entry.fields["attempt"] == 2]
    assert again == list(range(newest, 30))
