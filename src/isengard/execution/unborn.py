"""Removes what a killed API had begun of a job: a folder without a row whose journal has no whole line.

Nobody was told of such a job: its first line is on the disk before the request is answered.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from isengard.core.errors import JournalLocked, NotFound
from isengard.core.paths import JobPaths, check_job_id
from isengard.core.settings import Settings
from isengard.execution.artifacts import tombstones
from isengard.jobs.store import Store
from isengard.journal.writer_lock import WriterLock

log = logging.getLogger(__name__)


def sweep(settings: Settings, store: Store) -> None:
    """Remove every such folder, with its secrets; raises `StorageError` where the disk refuses.

    One that is being made at this moment is left alone: whoever makes it holds the right to write its journal. In the
    instant before it does, its request fails, and can be sent again.
    """
    for paths in list(_without_line(settings)):
        if store.has_job(paths.job_id):
            continue
        if any(_holds_work(paths)):
            log.warning("the folder %s belongs to no job and holds files; it is left alone", paths.root)
            continue
        try:
            writing = WriterLock(paths)
        except JournalLocked:
            continue
        try:
            log.warning("job %s was cut off before its first line; what there is of it is removed", paths.job_id)
            tombstones.set_aside(settings, paths.job_id)
            tombstones.close(settings, tombstones.tombstone_of(paths.root))
        finally:
            writing.release()


def _without_line(settings: Settings) -> Iterator[JobPaths]:
    for folder in settings.paths.jobs.iterdir():
        try:
            paths = settings.paths.job(check_job_id(folder.name))
        except NotFound:
            continue
        if folder.is_dir() and not _has_line(paths.journal):
            yield paths


def _has_line(journal: Path) -> bool:
    try:
        with journal.open("rb") as file:
            return any(b"\n" in part for part in iter(lambda: file.read(65536), b""))
    except FileNotFoundError:
        return False


def _holds_work(paths: JobPaths) -> Iterator[Path]:
    """Files that no birth makes: somebody's, or of a run."""
    born = {paths.journal, paths.lock, paths.index}
    return (path for path in paths.root.rglob("*") if path.is_file() and path not in born)
