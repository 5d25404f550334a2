"""A backup made in the middle of a training, and what becomes of it elsewhere; all by the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isengard.core.paths import DataDir
from isengard.core.settings import Settings
from isengard.jobs.models import JobStatus
from isengard.journal import Entry
from standins.workbench import PATIENCE_S, Workbench, workbench


def isengard(*arguments: str | Path, data_dir: Path) -> dict[str, Any]:
    argv = [sys.executable, "-m", "isengard", *map(str, arguments), "--data-dir", str(data_dir), "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path / "data") as made:
        yield made


def entries(data: DataDir, job_id: str) -> list[Entry]:
    found = [Entry.parse(line) for line in data.job(job_id).journal.read_bytes().splitlines(keepends=True)]
    assert [entry.seq for entry in found] == list(range(1, len(found) + 1))
    return found


def test_a_backup_in_the_middle_of_a_run_is_a_prefix_and_goes_on_elsewhere(bench: Workbench, tmp_path: Path) -> None:
    bench.start_worker()
    done = bench.finish(bench.submit(sample_every_n_steps=10))
    running = bench.submit(steps=100_000, step_time_s=0.002, sample_every_n_steps=50, checkpoint_every_n_steps=40)
    bench.wait_for_event(running, "training.checkpoint", 2)
    archives = [tmp_path / f"{number}.zip" for number in range(3)]
    for archive in archives:
        isengard("backup", archive, data_dir=bench.settings.data_dir)

    journal = bench.paths(running).journal
    copies = []
    for archive in archives:
        with zipfile.ZipFile(archive) as opened:
            copies.append(opened.read(f"logs/jobs/{running.id}/events.jsonl"))
    for earlier, later in zip(copies, [*copies[1:], journal.read_bytes()], strict=True):
        assert earlier.endswith(b"\n")
        assert len(earlier) < len(later)
        assert later.startswith(earlier)

    elsewhere = Settings(data_dir=tmp_path / "elsewhere")
    told = isengard("restore", archives[-1], data_dir=elsewhere.data_dir)
    assert (told["jobs"], told["interrupted"]) == (2, [running.id])
    restored = elsewhere.paths.job(running.id)
    assert restored.journal.read_bytes().startswith(copies[-1])
    assert elsewhere.paths.job(done.id).journal.read_bytes() == bench.paths(done).journal.read_bytes()
    last = entries(elsewhere.paths, running.id)[-1]
    assert (last.event, last.fields["error_type"], last.fields["attempt"]) == ("job.failed", "Interrupted", 1)
    assert bench.store.get_job(running.id).status is JobStatus.RUNNING, "the restored copy has ended the real run"

    with Elsewhere(elsewhere.data_dir) as site:
        site.resume_and_cancel(running.id)
    story = [entry for entry in entries(elsewhere.paths, running.id) if entry.seq >= last.seq]
    assert [entry.event for entry in story[:3]] == ["job.failed", "job.resumed", "job.queued"]
    assert story[1].fields["attempt"] == 2
    assert story[1].fields["step"] > 0, "it did not go on from a checkpoint"
    assert story[-1].event == "job.cancelled"
    steps = [entry.fields["step"] for entry in story if entry.event == "training.step"]
    assert steps[0] == story[1].fields["step"] + 1
    assert bench.store.get_job(running.id).status is JobStatus.RUNNING


class Elsewhere:
    """`isengard up` on a restored folder."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        argv = [sys.executable, "-m", "isengard", "up", "--port", "0", "--data-dir", str(data_dir)]
        self._up = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Elsewhere:
        assert self._up.stdout is not None
        assert "Isengard is at" in self._up.stdout.readline()
        return self

    def resume_and_cancel(self, job_id: str) -> None:
        isengard("resume", job_id, data_dir=self._data_dir)
        follow = [sys.executable, "-m", "isengard", "logs", job_id, "-f", "--json", "--data-dir", str(self._data_dir)]
        with subprocess.Popen(follow, stdout=subprocess.PIPE, text=True) as logs:
            assert logs.stdout is not None
            attempt, stopping = 1, False
            for line in logs.stdout:
                entry = json.loads(line)
                attempt = entry["fields"].get("attempt", attempt)
                if attempt == 2 and entry["event"] == "training.step" and not stopping:
                    isengard("cancel", job_id, data_dir=self._data_dir)
                    stopping = True
        assert stopping

    def __exit__(self, *_: object) -> None:
        self._up.terminate()
        self._up.communicate(timeout=PATIENCE_S)
