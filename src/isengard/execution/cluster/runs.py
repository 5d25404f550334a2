"""``remote.json``: which run of a job on another host is the one that counts. The site writes it, the host gets it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from isengard.core.paths import JobPaths
from isengard.trainers import jobfile


@dataclass(frozen=True, slots=True)
class RemoteRun:
    """One run on another host.

    Attributes:
        token: Made by the site when it handed the job out; the run of any other token has been given up.
        host: Name of the host, for people; empty for a run that the site itself has given up.
        asked: What the host called its question: one that is asked again is answered with the same run.
    """

    job_id: str
    attempt: int
    token: str
    host: str
    asked: str = ""

    @property
    def channel(self) -> str:
        """What its lines, orders and questions travel under."""
        return f"{self.job_id}@{self.attempt}-{self.token}"


def place(paths: JobPaths) -> Path:
    """Where it stands in a job's folder."""
    return paths.root / "remote.json"


def new(job_id: str, attempt: int, host: str, asked: str = "") -> RemoteRun:
    """A run with a token of its own."""
    return RemoteRun(job_id, attempt, secrets.token_hex(8), host, asked)


def write(paths: JobPaths, run: RemoteRun) -> None:
    """Make `run` the one that counts; raises OSError."""
    jobfile.write(run, place(paths))


def read(paths: JobPaths) -> RemoteRun | None:
    """The run that counts; None if the job has none on another host."""
    try:
        return jobfile.read(place(paths), RemoteRun)
    except (OSError, ValueError):
        return None
