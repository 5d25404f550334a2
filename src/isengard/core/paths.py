"""Every place on disk, named once. No other module joins a path below the data folder by hand.

Identifiers are checked here, so a path made here cannot leave the data folder.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from isengard.core.errors import NotFound, StartupError

_JOB_ID = re.compile(r"train-[a-z0-9][a-z0-9-]{0,63}")
_CHARACTER_ID = re.compile(r"char-[a-z0-9][a-z0-9-]{0,63}")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letter that reads as another


def _new_id(prefix: str) -> str:
    return f"{prefix}-{''.join(secrets.choice(_ALPHABET) for _ in range(12))}"


def new_job_id() -> str:
    """Make a job id: ``train-`` and 60 random bits."""
    return _new_id("train")


def new_character_id() -> str:
    """Make a character id: ``char-`` and 60 random bits."""
    return _new_id("char")


def check_job_id(job_id: str) -> str:
    """Return `job_id` if it has the form of one, else raise `NotFound` (a malformed id names nothing)."""
    if not _JOB_ID.fullmatch(job_id):
        raise NotFound(f"no job has the id {job_id[:80]!r}", field="job_id")
    return job_id


def check_character_id(character_id: str) -> str:
    """Return `character_id` if it has the form of one, else raise `NotFound`."""
    if not _CHARACTER_ID.fullmatch(character_id):
        raise NotFound(f"no character has the id {character_id[:80]!r}", field="character_id")
    return character_id


@dataclass(frozen=True, slots=True)
class JobPaths:
    """The folder of one job, ``logs/jobs/{job_id}/``."""

    root: Path

    @property
    def job_id(self) -> str:
        """The job's id, which is the folder's name."""
        return self.root.name

    @property
    def journal(self) -> Path:
        """The journal: append-only JSON lines."""
        return self.root / "events.jsonl"

    @property
    def index(self) -> Path:
        """The journal's sidecar index, a cache that may be deleted at any time."""
        return self.root / "events.idx"

    @property
    def lock(self) -> Path:
        """Locked exclusively by whoever writes the journal."""
        return self.root / "writer.lock"

    @property
    def runner_lock(self) -> Path:
        """Locked exclusively by the one living runner of the job; holds its pid for people."""
        return self.root / "runner.lock"

    @property
    def torn(self) -> Path:
        """Where torn last lines found after a crash are set aside."""
        return self.root / "events.torn"

    def position(self, carrier: str) -> Path:
        """How far `carrier`, who brings the journal's content elsewhere, has come in it."""
        return self.root / f"{carrier}.position"

    def upload(self, carrier: str) -> Path:
        """What `carrier` needs to go on with an upload that was cut; beside its position."""
        return self.root / f"{carrier}.upload"

    @property
    def spec(self) -> Path:
        """What the runner is to do: a `TrainingJob` as JSON, written before it starts. Holds no secret."""
        return self.root / "job.json"

    @property
    def inbox(self) -> Path:
        """Commands to the runner (cancel, sample, save), one small file each."""
        return self.root / "inbox"

    @property
    def samples(self) -> Path:
        """Sample images."""
        return self.root / "samples"

    @property
    def checkpoints(self) -> Path:
        """Intermediate weights and what else a resume needs."""
        return self.root / "checkpoints"

    @property
    def dataset(self) -> Path:
        """The prepared images and captions that the trainer reads; made anew from the uploads at every attempt."""
        return self.root / "dataset"

    @property
    def trainer(self) -> Path:
        """The trainer's own corner: generated configuration, raw output."""
        return self.root / "trainer"

    @property
    def reports(self) -> Path:
        """The spool a trainer process appends its reports to; see `events/reports.py`."""
        return self.trainer / "reports.jsonl"

    @property
    def requests(self) -> Path:
        """Marker files by which the runner asks the trainer process to stop, sample or save."""
        return self.trainer / "requests"

    @property
    def output(self) -> Path:
        """The trainer's raw output, redacted."""
        return self.trainer / "output.log"

    def make(self) -> None:
        """Create the folder and its parts; existing ones are left alone."""
        for folder in (self.root, self.inbox, self.samples, self.checkpoints, self.trainer, self.requests):
            folder.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True, slots=True)
class DataDir:
    """The data folder and the places in it."""

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite database, used unless a database URL is set."""
        return self.root / "isengard.db"

    @property
    def jobs(self) -> Path:
        """The parent of all job folders."""
        return self.root / "logs" / "jobs"

    @property
    def run(self) -> Path:
        """Locks, wake-up files and other things that mean something only while processes live."""
        return self.root / "run"

    @property
    def wake(self) -> Path:
        """Touched when a job is queued or cancelled; the worker watches it."""
        return self.run / "wake"

    @property
    def identity(self) -> Path:
        """The folder's name for itself, made at its first start."""
        return self.root / "folder.id"

    @property
    def secrets(self) -> Path:
        """Secrets handed to jobs, one file a job, readable by the owner only. Never part of a bundle."""
        return self.root / "secrets"

    def service_logs(self, service: str) -> Path:
        """The folder of one service's own log (``api``, ``worker``)."""
        return self.root / "logs" / service

    def uploads(self, character_id: str) -> Path:
        """A character's images and captions."""
        return self.root / "uploads" / check_character_id(character_id)

    def loras(self, character_id: str) -> Path:
        """A character's finished LoRAs."""
        return self.root / "loras" / check_character_id(character_id)

    def job(self, job_id: str) -> JobPaths:
        """The folder of one job; raises `NotFound` for something that cannot be a job's id."""
        return JobPaths(self.jobs / check_job_id(job_id))

    def job_secrets(self, job_id: str) -> Path:
        """The file with the secrets given to one job."""
        return self.secrets / f"{check_job_id(job_id)}.json"

    def prepare(self) -> None:
        """Create the folder and prove that it can be written; raises `StartupError` saying what is wrong."""
        try:
            for folder in (self.root, self.jobs, self.run):
                folder.mkdir(parents=True, exist_ok=True)
            self.secrets.mkdir(mode=0o700, exist_ok=True)
            for folder in (self.run, self.jobs, self.secrets):  # each may be a mount of its own
                probe = folder / f".probe-{os.getpid()}"
                probe.write_bytes(b"")
                probe.unlink()
        except OSError as error:
            reason = f"{error.strerror or error} ({error.filename or self.root})"
            raise StartupError(f"the data folder {self.root} cannot be written: {reason}", field="data_dir") from error
