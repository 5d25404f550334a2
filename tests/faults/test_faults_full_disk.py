"""Faults 10 to 12: a disk that is full in the middle of a line and of a bundle, a folder that turns read-only.

On real file systems: a tmpfs that is full, a mount that is read-only. How reports wait for room in a whole run is in
`tests/e2e/test_runs_on_a_bad_disk.py`; the database on a full disk in `tests/contract/test_store_troubles.py`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from faults.checker import whole_journal
from faults.site import site
from isengard.core.paths import DataDir
from isengard.jobs.models import JobStatus
from standins.small_disk import small_disk
from standins.workbench import PATIENCE_S, workbench

WRITER = Path(__file__).with_name("writer.py")


def test_fault_10_disk_full_in_the_middle_of_a_line_leaves_no_half_line_and_recovers(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 512) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(400 * 1024))
        argv = [sys.executable, str(WRITER), str(disk), "900", "0"]
        writer = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        said = list(iter(writer.stdout.readline, b"!\n"))
        journal = DataDir(disk).job("train-written").journal
        full_at = journal.read_bytes()
        assert full_at.endswith(b"}\n"), "half a line is left"
        assert whole_journal(journal)[-1]["seq"] == int(said[-1])
        ballast.unlink()
        rest = writer.communicate(timeout=PATIENCE_S)[0].splitlines()
        acknowledged = [int(line) for line in (*said, *rest) if line.strip() != b"!"]
        lines = whole_journal(journal)
        assert acknowledged == [line["fields"]["emitted"] for line in lines] == list(range(1, 901))
        assert not journal.with_name("events.torn").exists()


def test_fault_11_disk_full_in_the_middle_of_a_bundle_is_told_and_leaves_no_part_of_it(tmp_path: Path) -> None:
    with workbench(tmp_path / "data") as bench, small_disk(tmp_path / "disk", 256) as disk:
        job = bench.submit()
        noise = bench.paths(job).trainer / "noise.log"
        noise.write_text("\n".join(secrets.token_hex(40) for _ in range(20_000)))  # does not pack well
        argv = [sys.executable, "-m", "isengard", "debug-bundle", job.id, "--output", str(disk)]
        argv += ["--data-dir", str(bench.settings.data_dir)]
        refused = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        assert refused.returncode != 0
        assert "No space left on device" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert list(disk.iterdir()) == []
        noise.unlink()
        subprocess.run(argv, check=True, timeout=60, capture_output=True)
        assert (disk / f"{job.id}_debug.zip").read_bytes().startswith(b"PK")


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing below `folder` can be opened for writing; what is open already stays so."""
    libc, bind, remount, readonly = ctypes.CDLL(None, use_errno=True), 4096, 32, 1
    place = os.fsencode(folder)
    if libc.mount(place, place, None, bind, None) != 0:
        pytest.skip("no right to mount a file system here")
    try:
        assert libc.mount(None, place, None, bind | remount | readonly, None) == 0
        yield
    finally:
        libc.umount2(place, 2)


def test_fault_12_a_folder_that_turns_read_only_is_told_and_work_goes_on_when_it_turns_back(tmp_path: Path) -> None:
    with site(tmp_path) as running:
        bench = running.bench
        emission = running.emit(count=100_000)
        emission.wait_for(20)
        body = {"character_id": bench.character.id, "trainer": "mock", "config": {"steps": 3, "step_time_s": 0}}
        with read_only(bench.settings.data_dir):
            answer = httpx.post(f"{running.url}/api/training", json=body, timeout=PATIENCE_S)
            assert answer.status_code in (503, 507)
            assert "read-only" in answer.json()["detail"].lower()
            assert httpx.get(f"{running.url}/api/training/{emission.job.id}", timeout=PATIENCE_S).status_code == 200
            emission.wait_for(emission.acknowledged() + 20)
        assert len(bench.store.list_jobs().jobs) == 1, "the refused request left a job"
        again = httpx.post(f"{running.url}/api/training", json=body, timeout=PATIENCE_S)
        assert again.status_code == 201
        bench.jobs.append(again.json()["id"])
        emission.enough()
        done, _ = running.conclude(emission)
        assert done.status is JobStatus.COMPLETED
        assert bench.finish(bench.store.get_job(again.json()["id"])).status is JobStatus.COMPLETED
        assert running.worker.poll() is None, "the worker ended"
