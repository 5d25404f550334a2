"""Whether the script that an attached job follows still lives: somebody else started it, it is nobody's child here."""

from __future__ import annotations

from isengard.core.paths import JobPaths
from isengard.jobs.leases import process_start
from isengard.trainers import jobfile
from isengard.trainers.base import Attach
from isengard.trainers.script import ATTACHED


def is_alive(paths: JobPaths) -> bool:
    """Whether the job follows a script that lives; False for a job that follows none."""
    try:
        return lives(jobfile.read(paths.trainer / ATTACHED, Attach))
    except (OSError, ValueError):
        return False


def followed(paths: JobPaths) -> int | None:
    """The process that the job follows; None for a job that starts its own."""
    try:
        return jobfile.read(paths.trainer / ATTACHED, Attach).pid
    except (OSError, ValueError):
        return None


def lives(script: Attach) -> bool:
    """Whether the process is there, and is not a later one with its id."""
    return process_start(script.pid) == script.started
