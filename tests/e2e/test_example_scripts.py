"""The example: a real Accelerate training of the tiny model, followed to its end with the SDK and without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from isengard.jobs.models import JobStatus
from standins.workbench import Workbench

EXAMPLE = Path(__file__).parents[2] / "examples" / "accelerate_lora.py"
STEPS = 4


def test_a_real_accelerate_training_is_in_the_journal_with_every_step_and_sample(
    bench: Workbench, tmp_path: Path
) -> None:
    env = {**os.environ, "ISENGARD_DATA_DIR": str(bench.settings.data_dir), "OMP_NUM_THREADS": "1"}
    started = {}
    for way in ("read", "reported"):
        script = [sys.executable, str(EXAMPLE), "--output_dir", str(tmp_path / way)]
        script += ["--max_train_steps", str(STEPS), "--validation_steps", "2", "--train_batch_size", "1"]
        if way == "reported":
            script += ["--report_to", "isengard"]
        argv = [sys.executable, "-m", "isengard", "run", "--name", way, "--", *script]
        started[way] = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    assert [process.wait(240) for process in started.values()] == [0, 0]

    for job in bench.store.list_jobs().jobs:
        bench.jobs.append(job.id)
        way = bench.store.get_character(job.character_id).name
        steps = [entry.fields for entry in bench.of(job, "training.step")]
        assert [each["step"] for each in steps] == list(range(1, STEPS + 1)), way
        assert all(0 < each["loss"] < 10 and each["lr"] > 0 for each in steps)
        assert [entry.fields["step"] for entry in bench.of(job, "training.sample")] == [2, 4]
        assert [entry.fields["step"] for entry in bench.of(job, "training.checkpoint")] == [2, 4]
        assert (job.status, job.total_steps) == (JobStatus.COMPLETED, STEPS)
        assert job.output_path is not None, "the LoRA it left was kept"
        assert Path(job.output_path).stat().st_size > 0
    prompts = [
        entry.fields.get("sample_prompt")
        for job in bench.store.list_jobs().jobs
        for entry in bench.of(job, "training.sample")
    ]
    assert prompts.count("mizu, a blue creature") == 2, "only the SDK knows it"
