"""A data folder with a character, and real workers, runners and trainers on it. Ends every process it started."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from isengard.core.paths import JobPaths
from isengard.core.settings import Settings
from isengard.datasets.intake import Intake
from isengard.datasets.limits import Limits
from isengard.datasets.uploads import IncomingFile
from isengard.execution import control, process, runner_lock
from isengard.jobs.models import Job, JobStatus
from isengard.jobs.store import Store, open_store
from isengard.journal import Entry, JobFold, JournalReader
from standins.jobs_and_characters import add_character

T = TypeVar("T")
PATIENCE_S = 120.0  # only how long a failure takes: a busy machine is not a failure


def eventually(look: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """Wait until `look` gives something true; fail naming `what` after the deadline."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError(f"did not happen within {patience_s:g} s: {what}")


class Workbench:
    """One data folder and what runs on it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings = Settings(data_dir=folder, **{"lease_s": 5.0, "grace_period_s": 20.0, **settings})
        self.settings.paths.prepare()
        self.store: Store = open_store(self.settings)
        self.character = add_character(self.store)
        self._add_images(3)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.jobs: list[str] = []

    def _add_images(self, count: int) -> None:
        files = []
        for number in range(count):
            buffer = io.BytesIO()
            Image.new("RGB", (48, 48), (40 * number, 90, 160)).save(buffer, "PNG")
            buffer.seek(0)
            files.append(IncomingFile(f"pip_{number}.png", buffer))
        intake = Intake(self.store, self.settings.paths, Limits.of(self.settings))
        assert intake.ingest(self.character.id, files).total_images == count

    def start_worker(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start a real worker process on the folder."""
        given = {
            "ISENGARD_LEASE_S": str(self.settings.lease_s),
            "ISENGARD_GRACE_PERIOD_S": str(self.settings.grace_period_s),
            "ISENGARD_MAX_RUNNING_JOBS": str(self.settings.max_running_jobs or ""),
        }
        argv = [sys.executable, "-m", "isengard", "worker", "--data-dir", str(self.settings.data_dir)]
        worker = subprocess.Popen(argv, env={**os.environ, **given, **environment}, stderr=subprocess.PIPE)
        self.workers.append(worker)
        return worker

    def submit(self, secrets: dict[str, str] | None = None, **config: Any) -> Job:
        """Queue a mock training, fast and small unless `config` says otherwise."""
        small = {"steps": 20, "step_time_s": 0.01, "sample_every_n_steps": 0, "resolution": 64, "lora_rank": 4}
        job, _ = control.submit(
            self.settings,
            self.store,
            character_id=self.character.id,
            trainer="mock",
            config={**small, **config},
            secrets=secrets,
        )
        self.jobs.append(job.id)
        return job

    def paths(self, job: Job) -> JobPaths:
        return self.settings.paths.job(job.id)

    def entries(self, job: Job) -> list[Entry]:
        """The whole journal, each line checked against its number."""
        entries = JournalReader(self.paths(job)).read(limit=1_000_000)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        return entries

    def events(self, job: Job) -> list[str]:
        return [entry.event for entry in self.entries(job)]

    def of(self, job: Job, event: str) -> list[Entry]:
        return [entry for entry in self.entries(job) if entry.event == event]

    def fold(self, job: Job) -> JobFold:
        return JobFold.read(JournalReader(self.paths(job)))

    def wait_for_event(self, job: Job, event: str, count: int = 1) -> list[Entry]:
        def seen() -> list[Entry]:
            found = self.of(job, event)
            return found if len(found) >= count else []

        return eventually(seen, f"{count} × {event} in the journal of {job.id}")

    def wait_for_status(self, job: Job, *wanted: JobStatus) -> Job:
        def reached() -> Job | None:
            present = self.store.get_job(job.id)
            return present if present.status in wanted else None

        return eventually(reached, f"{job.id} becoming {' or '.join(wanted)}")

    def finish(self, job: Job) -> Job:
        """Wait until the store says it is over and the runner is gone."""
        done = self.wait_for_status(job, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)
        eventually(lambda: not runner_lock.is_held(self.paths(job)), "the runner being gone")
        return done

    def runner_pid(self, job: Job) -> int:
        return int(self.of(job, "job.started")[-1].fields["pid"])

    def trainer_pid(self, job: Job) -> int:
        return int(self.wait_for_event(job, "subprocess.start")[-1].fields["pid"])

    def survivors(self, job: Job) -> list[int]:
        """Processes that still carry the mark of any attempt of the job."""
        attempts = range(1, self.fold(job).attempt + 1)
        return [pid for attempt in attempts for pid in process.marked(process.mark(job.id, attempt))]

    def reports_in_journal(self, job: Job, attempt: int = 1) -> list[int]:
        """The spool line numbers in the journal, in its order."""
        numbers: list[int] = []
        current = 1
        for entry in self.entries(job):
            current = entry.fields.get("attempt", current)
            if current == attempt and "report" in entry.fields:
                numbers.append(entry.fields["report"])
        return numbers

    def service_log(self) -> list[dict[str, Any]]:
        path = self.settings.paths.service_logs("worker") / "worker.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.terminate()
            worker.communicate(timeout=PATIENCE_S)
        for job_id in self.jobs:
            pid = runner_lock.holder(self.settings.paths.job(job_id))
            if pid is not None and runner_lock.is_held(self.settings.paths.job(job_id)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for attempt in (1, 2, 3):
                process.kill_all(functools.partial(process.marked, process.mark(job_id, attempt)))
        self.store.close()


@contextmanager
def workbench(folder: Path, **settings: Any) -> Iterator[Workbench]:
    """A workbench that is cleaned up."""
    bench = Workbench(folder, **settings)
    try:
        yield bench
    finally:
        bench.close()
