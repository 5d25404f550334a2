"""Scripts that report by the SDK, each a real process that nobody but its shell has started."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from isengard.events import overflow
from isengard.execution import control, runner_lock
from isengard.execution.inbox import Command
from isengard.jobs.models import Job, JobStatus
from isengard.journal import JobFold, JournalReader
from standins.workbench import Workbench, eventually

SCRIPT = Path(__file__).parents[1] / "standins" / "scripts" / "plain.py"


@dataclass
class Script:
    """A running script; its process is collected as a shell would do it."""

    process: subprocess.Popen[bytes]
    job_id: str
    errors: Path


def start(bench: Workbench, *arguments: str) -> Script:
    """A script in a process of its own."""
    folder = bench.settings.data_dir.parent
    out, errors = (folder / f"{len(bench.jobs)}.{name}" for name in ("out", "err"))
    env = {**os.environ, "ISENGARD_DATA_DIR": str(bench.settings.data_dir)}
    with out.open("wb") as stdout, errors.open("wb") as stderr:
        script = subprocess.Popen([sys.executable, str(SCRIPT), *arguments], env=env, stdout=stdout, stderr=stderr)
    threading.Thread(target=script.wait, daemon=True).start()
    job_id = eventually(lambda: out.read_text().strip(), "the script naming its job")
    bench.jobs.append(job_id)
    return Script(script, job_id, errors)


def job_of(bench: Workbench, job_id: str) -> Job:
    def look() -> Job | None:
        return next((job for job in bench.store.list_jobs().jobs if job.id == job_id), None)

    return eventually(look, f"the job {job_id} being made")


def steps(bench: Workbench, job: Job) -> list[int]:
    return [entry.fields["step"] for entry in bench.of(job, "training.step")]


def test_a_plain_script_has_a_job_of_its_own_with_every_step_and_sample(bench: Workbench) -> None:
    script = start(bench, "30", "finish")
    job = bench.finish(job_of(bench, script.job_id))  # no worker runs: the runner closes its own claim

    assert script.process.wait(120) == 0
    assert (job.status, job.current_step, job.total_steps) == (JobStatus.COMPLETED, 30, 30)
    assert bench.store.get_character(job.character_id).name == "sea"
    assert job.config["settings"] == {"lr": 1e-4, "best": "inf", "5": [1, 2]}
    assert steps(bench, job) == list(range(1, 31))
    assert bench.of(job, "training.step")[4].fields["loss"] == pytest.approx(0.2)
    samples = [entry.fields for entry in bench.of(job, "training.sample")]
    assert [(each["step"], each["sample_prompt"]) for each in samples] == [(n, "a sea") for n in (10, 20, 30)]
    assert all((bench.paths(job).samples / each["sample_path"]).stat().st_size for each in samples)
    assert bench.events(job)[-1] == "job.completed"


def test_a_script_that_fails_by_an_exception_or_an_exit_code_is_told_with_its_cause(bench: Workbench) -> None:
    raised, left = start(bench, "3", "raise"), start(bench, "3", "exit")

    job = bench.finish(job_of(bench, raised.job_id))
    assert (job.status, job.error_type) == (JobStatus.FAILED, "RuntimeError")
    end = bench.entries(job)[-1].fields
    assert "in end" in end["error_stack"]
    assert end["cause"]["code"] == "cuda-oom"
    job = bench.finish(job_of(bench, left.job_id))
    assert job.status is JobStatus.FAILED
    assert "3" in str(job.error_message)


def test_a_killed_script_fails_with_all_it_had_reported_and_one_end(bench: Workbench) -> None:
    script = start(bench, "20", "wait")
    job = job_of(bench, script.job_id)
    bench.wait_for_event(job, "training.step", 20)

    os.kill(script.process.pid, signal.SIGKILL)
    job = bench.finish(job)

    assert (job.status, steps(bench, job)) == (JobStatus.FAILED, list(range(1, 21)))
    assert "kill -9" in str(job.error_message)
    assert bench.events(job).count("job.failed") == 1


def test_a_runner_that_is_killed_costs_nothing_and_its_script_gets_another(bench: Workbench) -> None:
    bench.start_worker()
    script = start(bench, "100000", "finish", "0.02")
    job = job_of(bench, script.job_id)
    bench.wait_for_event(job, "training.step", 5)
    bench.wait_for_event(job, "job.adopted")  # the worker answers for it, and does not bury it while the script lives

    os.kill(bench.runner_pid(job), signal.SIGKILL)
    words = "the runner died; another one goes on"
    eventually(lambda: words in [entry.msg for entry in bench.of(job, "log")], "another runner")
    control.request(bench.settings, bench.store, job.id, Command.SAVE)  # by which this script ends
    job = bench.finish(job)

    assert script.process.wait(120) == 0
    assert job.status is JobStatus.COMPLETED
    assert steps(bench, job) == list(range(1, job.current_step + 1))
    assert bench.reports_in_journal(job) == sorted(set(bench.reports_in_journal(job)))
    assert bench.events(job).count("job.started") == 1


def test_what_is_asked_on_the_page_reaches_the_script(bench: Workbench) -> None:
    script = start(bench, "100000", "", "0.02")
    job = job_of(bench, script.job_id)
    bench.wait_for_event(job, "training.step")

    looks = itertools.count()

    def sampled_in_between() -> bool:
        if next(looks) % 50 == 0:  # one that falls on a regular step cannot be told from it: so ask again
            control.request(bench.settings, bench.store, script.job_id, Command.SAMPLE)
        return any(entry.fields["step"] % 10 for entry in bench.of(job, "training.sample"))

    eventually(sampled_in_between, "a sample in between")
    control.cancel(bench.settings, bench.store, script.job_id)
    job = bench.finish(job)

    assert script.process.wait(120) == 0
    assert job.status is JobStatus.CANCELLED


def test_a_data_folder_that_cannot_be_written_costs_the_training_nothing_and_gets_everything_later(
    bench: Workbench,
) -> None:
    jobs = bench.settings.paths.jobs
    away = jobs.with_name("away")
    jobs.rename(away)
    jobs.write_text("a file where the folder was")  # root may write anywhere, so a mode would keep nobody out
    script = start(bench, "20", "finish")
    assert script.process.wait(120) == 0
    assert len(script.errors.read_text().splitlines()) == 1
    assert "cannot be written now" in script.errors.read_text()
    assert overflow.spool(script.job_id) is not None

    jobs.unlink()
    away.rename(jobs)
    job = bench.finish(job_of(bench, script.job_id))

    assert job.status is JobStatus.COMPLETED
    assert steps(bench, job) == list(range(1, 21))
    assert len(list(bench.paths(job).samples.glob("*.png"))) == 2
    assert overflow.spool(script.job_id) is None


def test_inside_of_a_job_the_script_reports_to_its_own_runner_and_its_bar_is_not_read_as_well(bench: Workbench) -> None:
    report = "isengard.init().log(step=n, loss=2 / n)"
    chatty = f"import isengard\nfor n in range(1, 21):\n    {report}\n    print(f'step {{n}}/20 loss 9', flush=True)"
    env = {**os.environ, "ISENGARD_DATA_DIR": str(bench.settings.data_dir)}
    argv = [sys.executable, "-m", "isengard", "run", "--name", "sea", "--", sys.executable, "-c", chatty]
    subprocess.run(argv, env=env, check=True, capture_output=True, timeout=120)

    (job,) = bench.store.list_jobs().jobs
    assert steps(bench, job) == list(range(1, 21))
    assert [entry.fields["loss"] for entry in bench.of(job, "training.step")][1] == 1.0
    assert JobFold.read(JournalReader(bench.paths(job))).status == "completed"
    assert not runner_lock.is_held(bench.paths(job))
