"""Fault 25: a checkpoint half written at the kill, and a data folder of an earlier version.

That a damaged checkpoint is passed over is held in `tests/e2e/test_runs_resumed.py` as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

import isengard.jobs.migrations
from faults.checker import whole_journal
from faults.shims import compiled
from isengard.execution import control
from isengard.jobs.database import Database, sqlite_url
from isengard.jobs.migrate import REVISIONS
from isengard.jobs.models import JobStatus
from standins.workbench import workbench


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled("disk", tmp_path_factory.mktemp("shim"))


def test_fault_25_a_checkpoint_half_written_at_the_kill_is_not_what_a_resume_goes_on_from(
    disk: Path, tmp_path: Path
) -> None:
    tear = tmp_path / "tear"
    tear.write_text(".partial-step_000020 300")
    shim = {"LD_PRELOAD": str(disk), "FAULT_FOLDER": str(tmp_path / "data"), "FAULT_TEAR": str(tear)}
    with workbench(tmp_path / "data") as bench:
        bench.start_worker(ISENGARD_MAX_RETRIES="0", **shim)
        job = bench.submit(steps=30, checkpoint_every_n_steps=10)
        failed = bench.finish(job)
        assert (failed.status, failed.error_type) == (JobStatus.FAILED, "ProcessKilled")
        half = bench.paths(job).checkpoints / ".partial-step_000020.safetensors"
        assert half.stat().st_size == 300, "the kill did not come in the middle of the checkpoint"

        control.resume(bench.settings, bench.store, job.id)

        assert bench.finish(job).status is JobStatus.COMPLETED
        assert "goes on from step 10" in bench.of(job, "job.resumed")[0].msg
        second = [entry.fields["step"] for entry in bench.of(job, "training.step") if entry.fields["attempt"] == 2]
        assert second == list(range(11, 31))
        assert not half.exists()


def _go_back(database: Path, revision: str) -> None:
    """Put a database in the place of this one as an earlier revision made it, or none for `base`."""
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
    if revision == "base":
        return
    config = Config()
    config.set_main_option("script_location", str(Path(isengard.jobs.migrations.__file__).parent))
    opened = Database(sqlite_url(database))
    with opened.migrating() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    opened.close()


@pytest.mark.parametrize("revision", ["base", *REVISIONS[:-1]])
def test_fault_25_a_data_folder_of_an_earlier_revision_opens_with_all_its_jobs(tmp_path: Path, revision: str) -> None:
    """Jobs that an earlier database does not know come back from their journals; `base` is a folder without one."""
    with workbench(tmp_path / "data") as bench:
        bench.start_worker()
        done = bench.submit(steps=300, step_time_s=0)  # long enough to have an index
        waiting = bench.submit(steps=5, start_time_s=3600)
        assert bench.finish(done).status is JobStatus.COMPLETED
        control.cancel(bench.settings, bench.store, waiting.id)
        bench.finish(waiting)
        journals = {job.id: bench.paths(job).journal.read_bytes() for job in (done, waiting)}
        bench.paths(done).index.unlink(missing_ok=True)  # earlier versions had none
    _go_back(tmp_path / "data" / "isengard.db", revision)

    with workbench(tmp_path / "data") as later:
        later.start_worker()
        again = later.submit(steps=3)
        assert later.finish(again).status is JobStatus.COMPLETED
        for job, status in ((done, JobStatus.COMPLETED), (waiting, JobStatus.CANCELLED)):
            assert later.store.get_job(job.id).status is status
            assert later.paths(job).journal.read_bytes() == journals[job.id]
        listed = _listed(later.settings.data_dir)
        assert all(job.id in listed for job in (done, waiting, again))
        assert len(whole_journal(later.paths(done).journal)) > 300


def _listed(data_dir: Path) -> str:
    argv = [sys.executable, "-m", "isengard", "jobs", "--data-dir", str(data_dir)]
    return subprocess.run(argv, check=True, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}).stdout
