"""kill -9 of trainer, runner and worker: what was reported is in the journal once, nothing survives, nothing hangs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from isengard.execution import control, runner_lock
from isengard.jobs.models import JobStatus
from standins.workbench import Workbench, eventually


def test_a_killed_trainer_fails_its_job_with_the_signal_and_its_last_lines(bench: Workbench) -> None:
    bench.start_worker()
    job = bench.submit(steps=5000, fail_mode="stderr_noise", fail_at_step=2)
    bench.wait_for_event(job, "training.step", count=5)

    os.kill(bench.trainer_pid(job), signal.SIGKILL)

    failed = bench.finish(job)
    assert (failed.status, failed.error_type) == (JobStatus.FAILED, "ProcessKilled")
    assert "killed by signal 9 (SIGKILL)" in (failed.error_message or "")
    last = bench.entries(job)[-1]
    assert any("Caching latents" in line for line in last.fields["last_lines"])
    assert bench.of(job, "subprocess.exit")[0].fields["exit_code"] == -9
    assert bench.survivors(job) == []


def test_a_killed_runner_loses_no_report_and_takes_its_trainer_with_it(bench: Workbench) -> None:
    bench.start_worker()
    jobs = [bench.submit(steps=5000, step_time_s=0.002, fail_mode="children", fail_at_step=2) for _ in range(2)]
    spools = {}
    for job in jobs:
        bench.wait_for_event(job, "training.step", count=30)
        spools[job.id] = os.open(bench.paths(job).reports, os.O_RDONLY)  # the worker will remove the name

    for job in jobs:
        os.kill(bench.runner_pid(job), signal.SIGKILL)

    for job in jobs:
        failed = bench.finish(job)
        assert (failed.status, failed.error_type) == (JobStatus.FAILED, "RunnerDied")
        assert "killed by signal 9 (SIGKILL)" in (failed.error_message or "")
        confirmed = Path(f"/proc/self/fd/{spools[job.id]}").read_bytes().count(b"\n")
        assert bench.reports_in_journal(job) == list(range(1, confirmed + 1))
        assert bench.events(job)[-1] == "job.failed"
        assert bench.entries(job)[-1].service == "worker"
        pids = next(entry.fields["pids"] for entry in bench.of(job, "log") if "pids" in entry.fields)
        eventually(lambda pids=pids: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids), "orphans being gone")
        assert bench.survivors(job) == []
        os.close(spools[job.id])


def test_a_runner_that_dies_before_its_first_word_fails_the_job_and_says_why(bench: Workbench) -> None:
    job = bench.submit()
    bench.start_worker(PYTHONPATH=str(_broken_runner(bench.settings.data_dir.parent)))

    failed = bench.finish(job)

    assert failed.status is JobStatus.FAILED
    assert "ModuleNotFoundError: No module named 'not_there'" in (failed.error_message or "")
    assert bench.events(job) == ["job.created", "job.queued", "job.failed"]


def _broken_runner(folder: Path) -> Path:
    """A place for PYTHONPATH that breaks runners and nothing else."""
    place = folder / "broken"
    place.mkdir()
    (place / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'isengard.execution.runner' in sys.orig_argv:\n"
        "    print('ModuleNotFoundError: No module named', repr('not_there'), file=sys.stderr, flush=True)\n"
        "    os._exit(1)\n"
    )
    return place


def test_a_killed_worker_leaves_its_runs_running_and_the_next_adopts_each_once(bench: Workbench) -> None:
    first = bench.start_worker()
    running = bench.submit(steps=5000)
    ended = bench.submit(steps=400, step_time_s=0.005)
    for job in (running, ended):
        bench.wait_for_event(job, "training.step", count=3)

    first.kill()
    first.wait()
    bench.wait_for_event(ended, "job.completed")
    eventually(lambda: not runner_lock.is_held(bench.paths(ended)), "the runner ending by itself")
    assert bench.store.get_job(ended.id).status is JobStatus.RUNNING, "nobody was there to tell the store"
    bench.start_worker()

    assert bench.finish(ended).status is JobStatus.COMPLETED
    assert "job.adopted" not in bench.events(ended)
    bench.wait_for_event(running, "job.adopted")
    step = bench.fold(running).step or 0
    eventually(lambda: (bench.store.get_job(running.id).current_step) > step, "the adopting worker telling progress")
    control.cancel(bench.settings, bench.store, running.id)
    assert bench.finish(running).status is JobStatus.CANCELLED
    assert bench.events(running).count("job.adopted") == 1


def test_a_runner_that_died_while_no_worker_was_there_is_buried_by_the_next(bench: Workbench) -> None:
    first = bench.start_worker()
    job = bench.submit(steps=5000)
    cancelled = bench.submit(steps=5000)
    for each in (job, cancelled):
        bench.wait_for_event(each, "training.step", count=3)
    first.kill()
    first.wait()

    control.cancel(bench.settings, bench.store, cancelled.id)
    for each in (job, cancelled):
        os.kill(bench.runner_pid(each), signal.SIGKILL)
    bench.start_worker()

    assert bench.finish(job).error_type == "RunnerDied"
    assert bench.finish(cancelled).status is JobStatus.CANCELLED, "a cancel must not read as a failure"
    for each in (job, cancelled):
        numbers = bench.reports_in_journal(each)
        assert numbers == list(range(1, len(numbers) + 1))
        assert bench.survivors(each) == []


def test_a_worker_told_to_end_leaves_runs_running_and_says_so(bench: Workbench) -> None:
    worker = bench.start_worker()
    job = bench.submit(steps=5000)
    bench.wait_for_event(job, "training.step", count=2)

    worker.terminate()

    assert worker.wait(timeout=60) == 0
    assert bench.store.workers() == []
    assert runner_lock.is_held(bench.paths(job))
    assert job.id in bench.service_log()[-1]["msg"]


def test_a_second_worker_is_refused_while_the_first_lives_and_takes_over_when_it_falls_silent(bench: Workbench) -> None:
    first = bench.start_worker()
    job = bench.submit(steps=5000)
    bench.wait_for_event(job, "training.step", count=2)

    second = bench.start_worker()
    assert second.wait(timeout=60) == 2
    assert second.stderr is not None
    assert f"(process {first.pid} on " in second.stderr.read().decode()

    first.send_signal(signal.SIGSTOP)
    bench.start_worker()
    bench.wait_for_event(job, "job.adopted")
    first.send_signal(signal.SIGCONT)

    assert first.wait(timeout=60) == 0
    assert runner_lock.is_held(bench.paths(job)), "the fenced worker ended a run that is not its any more"
    assert bench.events(job).count("job.started") == 1
    control.cancel(bench.settings, bench.store, job.id)
    assert bench.finish(job).status is JobStatus.CANCELLED
