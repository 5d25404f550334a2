"""Removes what a deleted job left: its objects in the store of artifacts, then its folder, which was set aside.

While the store does not answer the folder stays, marked, and the uploader tries again: nothing is left in a bucket.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

from isengard.core.errors import StorageError
from isengard.core.paths import DataDir, JobPaths
from isengard.core.settings import Settings
from isengard.execution.artifacts.address import delivers, open_artifacts
from isengard.execution.artifacts.job_upload import CARRIER
from isengard.execution.artifacts.store import job_key

log = logging.getLogger(__name__)

_PREFIX = ".deleted-"
_SECRETS = "given-secrets.json"
"""The job's secrets, which lie elsewhere while it lives."""
_MARK = "no-row"
"""A file in a tombstone whose job is gone from the database: only the removal is left to do."""


def tombstone_of(folder: Path) -> Path:
    """Where the folder of a job is set aside while the job is being deleted."""
    return folder.with_name(f"{_PREFIX}{folder.name}")


def set_aside(settings: Settings, job_id: str) -> None:
    """Set aside the folder of a job and its secrets. Raises `StorageError`, and may then have to be undone."""
    folder, secrets = settings.paths.job(job_id).root, settings.paths.job_secrets(job_id)
    tombstone = tombstone_of(folder)
    try:
        if folder.exists():
            folder.rename(tombstone)
    except OSError as error:
        raise StorageError(f"the folder of job {job_id} cannot be removed: {error.strerror}") from error
    try:
        if secrets.exists():
            tombstone.mkdir(parents=True, exist_ok=True)
            secrets.rename(tombstone / _SECRETS)
    except OSError as error:
        raise StorageError(f"the secrets of job {job_id} cannot be removed: {error.strerror}") from error


def undo(settings: Settings, job_id: str) -> None:
    """Put back what `set_aside` took, as far as it got. Raises OSError."""
    folder = settings.paths.job(job_id).root
    tombstone = tombstone_of(folder)
    if (tombstone / _SECRETS).exists():
        (tombstone / _SECRETS).rename(settings.paths.job_secrets(job_id))
    if tombstone.exists() and not folder.exists():
        tombstone.rename(folder)


def close(settings: Settings, tombstone: Path) -> None:
    """Remove what is left of a job that is in the database no more; its secrets first, whatever else has to wait."""
    try:
        (tombstone / _SECRETS).unlink(missing_ok=True)
        if delivers(settings):
            tombstone.mkdir(parents=True, exist_ok=True)
            (tombstone / _MARK).touch()
            store = open_artifacts(settings)
            store.abandon(JobPaths(tombstone).upload(CARRIER))
            store.remove_below(job_key(tombstone.name.removeprefix(_PREFIX)))
    except (StorageError, OSError) as error:
        log.warning(
            "the artifacts of the deleted job %s are still stored: %s", tombstone.name.removeprefix(_PREFIX), error
        )
        return
    shutil.rmtree(tombstone, ignore_errors=True)  # what stays is removed at the worker's next start


def waiting(data: DataDir) -> Iterator[Path]:
    """The tombstones that only wait for the store."""
    return (tombstone for tombstone in data.jobs.glob(f"{_PREFIX}*") if (tombstone / _MARK).exists())
