"""`isengard run`: a command from a terminal becomes a job, with a worker or without, and ends as it would alone."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from isengard.cli.main import main
from isengard.diagnostics import first_error
from isengard.jobs.models import Job, JobStatus
from isengard.journal import JournalReader
from standins.workbench import Workbench, eventually

STANDIN = Path(__file__).parents[1] / "standins" / "commands" / "train.py"
SLOW = """
import time
for n in range(1, 100000):
    print(f'step {n}/100000 loss {1 / n:.4f}', flush=True)
    time.sleep(0.05)
"""
ODD = """
import os, sys
sys.stdout.buffer.write(b'{\\xff} one\\r two\\n')
print('three', file=sys.stderr)
sys.stderr.flush()
sys.stdout.flush()
os.kill(os.getpid(), 9)
"""
SHORT = """
import sys
print('tty', sys.stdout.isatty())
for n in range(1, 6):
    print(f'step {n}/5 loss 0.5', flush=True)
"""


def argv(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "isengard", "run", *arguments]


def environment(bench: Workbench) -> dict[str, str]:
    return {**os.environ, "ISENGARD_DATA_DIR": str(bench.settings.data_dir), "ISENGARD_GRACE_PERIOD_S": "30"}


def run(bench: Workbench, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv(*arguments), env=environment(bench), capture_output=True, text=True, timeout=120, check=False
    )


def the_job(bench: Workbench) -> Job:
    def look() -> Job | None:
        found = bench.store.list_jobs().jobs
        return found[0] if found else None

    job = eventually(look, "the job being made")
    if job.id not in bench.jobs:
        bench.jobs.append(job.id)
    return job


def start_slow(bench: Workbench) -> tuple[subprocess.Popen[bytes], Job]:
    command = [*argv("--name", "slow", "--", sys.executable, "-c", SLOW)]
    process = subprocess.Popen(command, env=environment(bench), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    job = the_job(bench)
    bench.wait_for_event(job, "training.step", 3)
    return process, job


def test_a_command_in_which_nothing_of_a_training_was_seen_is_told_so(bench: Workbench) -> None:
    silent = run(bench, "--", sys.executable, "-c", "print('done')")
    spoken = run(bench, "--", sys.executable, "-c", SHORT)
    assert (silent.returncode, spoken.returncode) == (0, 0)
    assert "no step, sample or checkpoint of it was recognised (profile generic)" in silent.stderr
    assert "recognised" not in spoken.stderr
    bench.jobs += [job.id for job in bench.store.list_jobs().jobs]


def test_a_known_script_is_followed_without_being_described(bench: Workbench, tmp_path: Path) -> None:
    script = tmp_path / "sdxl_train_network.py"
    shutil.copy(STANDIN, script)
    out = tmp_path / "out"
    command = [sys.executable, str(script), "kohya", str(out), "ada", "8"]

    ended = run(
        bench, "--character", bench.character.name, "--output-dir", str(out), "--", *command, "", "--output_name", "ada"
    )

    assert ended.returncode == 0, ended.stderr
    assert "profile kohya" in ended.stderr
    job = bench.store.get_job(the_job(bench).id)
    assert (job.status, job.character_id, job.config["profile"]) == (JobStatus.COMPLETED, bench.character.id, "kohya")
    assert [entry.fields["step"] for entry in bench.of(job, "training.step")] == list(range(1, 9))
    assert [entry.fields["step"] for entry in bench.of(job, "training.sample")] == [4, 8]
    assert [entry.fields["step"] for entry in bench.of(job, "training.checkpoint")] == [4, 8]
    assert job.output_path is not None
    assert Path(job.output_path).exists()


def test_output_and_exit_code_are_the_commands_own(bench: Workbench) -> None:
    command = argv("--", sys.executable, "-c", ODD)

    ended = subprocess.run(command, env=environment(bench), capture_output=True, timeout=120, check=False)

    assert ended.returncode == 128 + signal.SIGKILL
    assert ended.stdout == b"{\xff} one\r two\n"
    assert b"three\n" in ended.stderr
    job = bench.store.get_job(the_job(bench).id)
    assert (job.status, job.error_type) == (JobStatus.FAILED, "ProcessKilled")
    assert set(job.config) == {"command", "cwd", "expect_lora", "profile", "terminal"}, "nothing is made up"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "nothing to run"),
        (["--", "no-such-program"], 127, "no-such-program: command not found"),
        (["--profile", "kohja", "--", "true"], 1, "there is no profile 'kohja'"),
        (["--character", "nobody", "--", "true"], 1, "no character has the id or name 'nobody'"),
        (["--name", "a", "--character", "b", "--", "true"], 2, "give one of them"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    assert main(["run", "--data-dir", str(tmp_path / "data"), *arguments]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_ctrl_c_asks_a_second_one_kills_and_a_worker_leaves_the_job_to_its_terminal(bench: Workbench) -> None:
    bench.start_worker()
    process, job = start_slow(bench)
    bench.wait_for_event(job, "job.adopted")

    process.send_signal(signal.SIGINT)
    eventually((bench.paths(job).requests / "stop").exists, "the command being asked to stop")
    process.send_signal(signal.SIGINT)

    assert process.wait(120) == 128 + signal.SIGKILL
    job = bench.finish(job)
    assert job.status is JobStatus.CANCELLED
    assert bench.events(job).count("job.started") == 1
    assert bench.survivors(job) == []


def error_of(bench: Workbench, job: Job) -> first_error.FirstError:
    found = first_error.find(JournalReader(bench.paths(job)))
    assert found is not None
    return found


def test_a_killed_terminal_leaves_the_training_and_its_runner_ends_the_job_by_itself(bench: Workbench) -> None:
    process, job = start_slow(bench)
    process.kill()
    process.wait(120)

    seen = len(bench.of(job, "training.step"))
    bench.wait_for_event(job, "training.step", seen + 3)
    os.kill(bench.trainer_pid(job), signal.SIGTERM)

    job = bench.finish(job)  # no worker has ever run on this folder
    assert (job.status, job.error_type) == (JobStatus.FAILED, "ProcessSignalled")
    advice = bench.of(job, "job.failed")[0].fields["cause"]["advice"]
    assert "Start it again." in advice
    assert not any("resume" in each.casefold() for each in advice), "it cannot be resumed"
    assert error_of(bench, job).cause.advice == tuple(advice), "what the command says is not what the page says"


def test_a_runner_that_is_killed_is_buried_by_the_terminal_it_served(bench: Workbench) -> None:
    process, job = start_slow(bench)
    os.kill(bench.runner_pid(job), signal.SIGKILL)

    assert process.wait(120) == 1
    job = bench.finish(job)
    assert (job.status, job.error_type) == (JobStatus.FAILED, "RunnerDied")
    assert bench.survivors(job) == []


def test_on_a_terminal_the_output_scrolls_above_a_live_bar(bench: Workbench) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        argv("--", sys.executable, "-c", SHORT),
        env={**environment(bench), "TERM": "xterm"},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65_536):
            shown += data
    except OSError:  # EIO: nobody has the other end any more
        pass
    finally:
        os.close(ours)

    assert process.wait(120) == 0
    assert b"tty True" in shown
    assert b"step 5/5 loss 0.5" in shown
    assert "━".encode() in shown
    assert b"5/5 loss 0.5 eta" in shown
