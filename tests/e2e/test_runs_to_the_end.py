"""Trainings that end by themselves, in real processes: what journal, store and folders hold afterwards."""

from __future__ import annotations

import secrets
from pathlib import Path

import psutil
from PIL import Image

from isengard.core.correlation import Correlation, bind
from isengard.execution import control
from isengard.jobs.models import JobStatus
from isengard.trainers.weights import read_header
from standins.workbench import Workbench


def test_a_training_leaves_samples_checkpoints_a_lora_and_its_whole_story(bench: Workbench) -> None:
    bench.start_worker()
    story = Correlation("corr-story-1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    with bind(story):
        job = bench.submit(steps=30, sample_every_n_steps=15, checkpoint_every_n_steps=10)

    done = bench.finish(job)

    assert done.status is JobStatus.COMPLETED
    assert (done.current_step, done.total_steps, done.progress) == (30, 30, 100.0)
    assert done.output_path is not None
    lora = Path(done.output_path)
    assert lora.parent == bench.settings.paths.loras(bench.character.id)
    assert len(read_header(lora)) == 7
    assert bench.store.get_character(bench.character.id).lora_path == str(lora)

    events = bench.events(job)
    assert events[:3] == ["job.created", "job.queued", "job.started"]
    assert events[-1] == "job.completed"
    assert [entry.fields["step"] for entry in bench.of(job, "training.step")] == list(range(1, 31))
    assert [entry.fields["step"] for entry in bench.of(job, "training.sample")] == [0, 15, 30]
    assert [entry.fields["step"] for entry in bench.of(job, "training.checkpoint")] == [10, 20, 30]
    for entry in bench.of(job, "training.sample"):
        with Image.open(bench.paths(job).samples / entry.fields["sample_path"]) as image:
            assert image.size == (64, 64)
    stages = [entry.fields["stage"] for entry in bench.of(job, "job.stage")]
    assert list(dict.fromkeys(stages)) == ["preparing_dataset", "captioning", "initializing", "training", "exporting"]
    steps = bench.of(job, "training.step")
    assert "eta_seconds" not in steps[0].fields
    assert 0 <= steps[-1].fields["eta_seconds"] < 60  # what is left is the last sample and save
    assert all(entry.fields["it_per_s"] > 0 for entry in steps[2:])
    assert [entry.fields["progress_pct"] for entry in steps[::3]] == [round(10 / 3 * (1 + 3 * n), 2) for n in range(10)]
    assert {entry.correlation_id for entry in bench.entries(job)} == {"corr-story-1"}
    told = [line for line in bench.service_log() if line.get("correlation_id") == "corr-story-1"]
    assert any("attempt 1 started" in line["msg"] for line in told), "the claim is no part of the story"
    assert any(f"{job.id} is completed" in line["msg"] for line in told)
    assert bench.reports_in_journal(job) == list(range(1, len(bench.reports_in_journal(job)) + 1))
    assert bench.survivors(job) == []


def test_a_secret_given_to_the_job_shows_up_nowhere_but_in_the_trainer(bench: Workbench) -> None:
    value = secrets.token_hex(20)
    bench.start_worker()
    job = bench.submit(secrets={"MY_HUB_TOKEN": value}, fail_mode="print_environment", steps=5, fail_at_step=2)

    bench.finish(job)

    log = bench.paths(job).output.read_text()
    assert "MY_HUB_TOKEN=" in log, "the trainer was not given the secret"
    assert "ISENGARD_DATABASE_URL" not in log
    for path in bench.settings.data_dir.rglob("*"):
        if path.is_file() and path.parent != bench.settings.paths.secrets:
            assert value.encode() not in path.read_bytes(), f"{path} holds the secret"
    assert bench.settings.paths.job_secrets(job.id).stat().st_mode & 0o777 == 0o600


def test_a_program_and_a_folder_that_are_not_there_are_told_apart(bench: Workbench, tmp_path: Path) -> None:
    bench.start_worker()
    configs = {"command": ["no-such-trainer"]}, {"command": ["true"], "cwd": str(tmp_path / "gone")}
    absent, elsewhere = (
        control.submit(bench.settings, bench.store, character_id=bench.character.id, trainer="command", config=config)[
            0
        ]
        for config in configs
    )

    assert bench.finish(absent).error_message == "no-such-trainer cannot be started: No such file or directory"
    assert str(tmp_path / "gone") in (bench.finish(elsewhere).error_message or "")
    causes = [bench.of(job, "job.failed")[0].fields["cause"]["code"] for job in (absent, elsewhere)]
    assert causes == ["no-program", "missing-file"]


CAUSES = {
    "oom": ("torch.OutOfMemoryError", "CUDA out of memory", "cuda-oom"),
    "nan": ("FloatingPointError", "became NaN", "nan-loss"),
    "disk_full": ("OSError", "No space left on device", "disk-full"),
    "gated": ("huggingface_hub.errors.GatedRepoError", "401 Client Error", "gated-weights"),
    "no_output": ("NoOutput", "left no LoRA", "no-output"),
    "torn_output": ("DamagedOutput", "damaged", "no-output"),
    "exit_code": ("ExitCode", "the trainer ended with exit code 7; its last line was: fatal: giving up", "unknown"),
    "segfault": ("SegmentationFault", "signal 11 (SIGSEGV)", "crash"),
}


def test_a_failure_shows_its_cause_whatever_it_is(bench: Workbench) -> None:
    bench.start_worker()
    jobs = {
        mode: bench.submit(steps=6, step_time_s=0, fail_mode=mode, fail_at_step=3, fail_exit_code=7) for mode in CAUSES
    }

    for mode, (error_type, words, code) in CAUSES.items():
        failed = bench.finish(jobs[mode])
        assert (failed.status, failed.error_type) == (JobStatus.FAILED, error_type)
        assert words in (failed.error_message or "")
        last = bench.entries(jobs[mode])[-1]
        assert (last.event, last.level, last.fields["error_type"]) == ("job.failed", "ERROR", error_type)
        assert last.fields["cause"]["code"] == code
        assert bench.survivors(jobs[mode]) == []

    for mode in ("oom", "nan", "disk_full", "gated"):
        assert "mock/failures.py" in bench.entries(jobs[mode])[-1].fields["error_stack"]
    crash = next(entry for entry in bench.of(jobs["segfault"], "subprocess.stderr") if entry.level == "ERROR")
    assert crash.msg.startswith("Fatal Python error: Segmentation fault")
    assert "failures.py" in crash.fields["error_stack"]
    assert bench.of(jobs["exit_code"], "subprocess.exit")[0].fields["exit_code"] == 7
    assert not bench.settings.paths.loras(bench.character.id).exists(), "a failed job left a LoRA"


def test_what_a_trainer_prints_is_inert_bounded_text_and_never_stops_it(bench: Workbench) -> None:
    bench.start_worker()
    noisy = [
        bench.submit(steps=4, step_time_s=0, fail_mode=mode, fail_at_step=2)
        for mode in ("flood", "garbage", "closed_streams", "stderr_noise")
    ]

    for job in noisy:
        assert bench.finish(job).status is JobStatus.COMPLETED

    flood, garbage, closed, noise = noisy
    suppressed = [entry for entry in bench.of(flood, "subprocess.stdout") if "suppressed" in entry.fields]
    assert sum(entry.fields["suppressed"] for entry in suppressed) > 500_000
    assert bench.paths(flood).journal.stat().st_size < 8_000_000
    assert sum(path.stat().st_size for path in bench.paths(flood).trainer.glob("output.log*")) < 5 * 16 * 2**20

    line = next(entry for entry in bench.of(garbage, "subprocess.stdout"))
    assert line.msg == "caption: \ufffd\ufffd\ufffd caf\ufffd red"
    endless = next(entry for entry in bench.of(garbage, "subprocess.stderr") if entry.msg.startswith("xxx"))
    assert endless.msg.endswith("more)")
    assert len(endless.msg) < 9000

    assert bench.of(closed, "log")[-1].event == "log"
    bar = next(entry for entry in bench.of(noise, "subprocess.stderr") if entry.fields.get("redraws"))
    assert bar.msg == "Caching latents (step 2): 100%|██████████|"
    assert bar.fields["redraws"] == 21
    assert any(entry.level == "WARN" and "FutureWarning" in entry.msg for entry in bench.of(noise, "subprocess.stderr"))


def test_processes_that_a_trainer_leaves_behind_do_not_survive_it(bench: Workbench) -> None:
    bench.start_worker()
    job = bench.submit(steps=6, step_time_s=0, fail_mode="children", fail_at_step=2)

    assert bench.finish(job).status is JobStatus.COMPLETED

    pids = next(entry.fields["pids"] for entry in bench.of(job, "log") if "pids" in entry.fields)
    assert len(pids) == 3
    assert bench.survivors(job) == []
    assert not [pid for pid in pids if psutil.pid_exists(pid)], "one of them lives, or lies in the process table"
    told = next(entry for entry in bench.of(job, "log") if "killed" in entry.fields)
    assert told.fields["killed"] == 3
