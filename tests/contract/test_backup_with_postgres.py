"""A data folder whose database is PostgreSQL: dumped first, then backed up; restored in the same order."""

from __future__ import annotations

import contextlib
import subprocess
import zipfile
from pathlib import Path

from isengard.core.correlation import Correlation
from isengard.core.settings import Settings
from isengard.diagnostics.backup import write_backup
from isengard.diagnostics.backup_contents import Choice
from isengard.diagnostics.restore import restore_backup
from isengard.execution import lines
from isengard.jobs.leases import Holder
from isengard.jobs.models import JobStatus
from isengard.jobs.store import open_store
from isengard.journal import JournalReader
from standins.jobs_and_characters import add_character, add_job
from standins.private_postgres import BINARIES, PrivatePostgres


def test_dump_and_backup_come_back_together(postgres: PrivatePostgres, tmp_path: Path) -> None:
    before, after = postgres.new_database(), postgres.new_database()
    settings = Settings(data_dir=tmp_path / "data", database_url=before)
    settings.paths.prepare()
    with contextlib.closing(open_store(settings)) as store:
        character = add_character(store)
        running, later = add_job(store, character), add_job(store, character, 1)
        for job in (running, later):
            lines.make_folder(settings.paths.job(job.id))
            lines.created(settings, job, character, {})
        assert store.claim(store.register_worker(Holder.here(settings.data_dir))) == store.get_job(running.id)
        dump = tmp_path / "isengard.dump"
        subprocess.run([BINARIES / "pg_dump", "--format=custom", f"--file={dump}", before], check=True)
        store.transition(later.id, JobStatus.CANCELLED)
        lines.cancelled_before_start(settings, store.get_job(later.id), Correlation("corr-later"))
        assert not write_backup(settings, tmp_path / "b.zip", Choice()).database
        with zipfile.ZipFile(tmp_path / "b.zip") as archive:
            assert "isengard.db" not in archive.namelist()

        subprocess.run([BINARIES / "pg_restore", f"--dbname={after}", dump], check=True)
        elsewhere = Settings(data_dir=tmp_path / "elsewhere", database_url=after)
        assert restore_backup(elsewhere, tmp_path / "b.zip").interrupted == [running.id]
        with contextlib.closing(open_store(elsewhere)) as restored:
            assert restored.list_characters() == store.list_characters()
            assert restored.get_job(running.id).status is JobStatus.FAILED
            assert restored.get_job(later.id).status is JobStatus.CANCELLED, "the journal knew more than the dump"
            assert restored.workers() == []
        assert JournalReader(elsewhere.paths.job(running.id)).read()[-1].fields["error_type"] == "Interrupted"
        assert store.get_job(running.id).status is JobStatus.RUNNING
