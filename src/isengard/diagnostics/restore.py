"""Restores a data folder from a backup: unpacked beside the target, settled, and then renamed into place.

Jobs that ran when the backup was made are told as interrupted, in their journals as in the database, so that a worker
finds no run to adopt or end: the real one may still be alive where the backup comes from. Trusts no name in the
archive and never writes over anything.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from isengard.core.errors import Conflict, InvalidInput, IsengardError, NotFound, StorageError
from isengard.core.settings import Settings
from isengard.diagnostics import backup_contents as contents
from isengard.diagnostics.backup import Report
from isengard.execution import dead_runner
from isengard.execution.reconcile import mend_journals, reconcile_journal
from isengard.jobs.database import sqlite_url
from isengard.jobs.leases import folder_identity, is_dead
from isengard.jobs.migrate import REVISIONS
from isengard.jobs.models import HELD, Job
from isengard.jobs.store import Store, open_store
from isengard.journal import JobFold, JournalReader

_PIECE = 256 * 1024
_MANIFEST_BYTES = 64 * 1024


@dataclass(slots=True)
class Restored:
    """What was restored.

    Attributes:
        interrupted: Jobs that ran when the backup was made.
        queued: How many wait in the queue.
        without_secrets: Jobs that had secrets which are not in the backup.
        has_tokens: Whether access tokens came with it.
    """

    path: Path
    made_at: str
    jobs: int = 0
    interrupted: list[str] = field(default_factory=list)
    queued: int = 0
    without_secrets: list[str] = field(default_factory=list)
    has_tokens: bool = False


def restore_backup(settings: Settings, source: Path, report: Report = lambda _done, _all: None) -> Restored:
    """Make the data folder of `settings` from the backup `source`.

    Raises:
        NotFound: There is no such file.
        InvalidInput: It is no whole backup, or one of a newer Isengard; nothing was written.
        Conflict: The data folder is there already, and perhaps in use.
        StorageError: The disk refused or has no room; nothing is left.
    """
    target = settings.data_dir.absolute()
    with _opened(source) as archive:
        manifest = _manifest(archive, source)
        members = _members(archive, source)
        _check_target(settings, target)
        partial = target.with_name(f".{target.name}.restoring-{os.getpid()}")
        try:
            _check_room(members, target)
            _unpack(archive, members, partial, report)
            restored = Restored(target, str(manifest.get("made_at", "")))
            _settle(settings.model_copy(update={"data_dir": partial}), restored)
            os.sync()
            os.rename(partial, target)
        except zipfile.BadZipFile as error:
            raise _damaged(source, error) from error
        except OSError as error:
            raise StorageError(f"the backup could not be restored to {target}: {error.strerror}") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return restored


# What the archive is.


@contextlib.contextmanager
def _opened(source: Path) -> Iterator[zipfile.ZipFile]:
    if not source.is_file():
        raise NotFound(f"there is no file {source}", field="file")
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise _damaged(source, error) from error
    except OSError as error:
        raise StorageError(f"{source} cannot be read: {error.strerror}") from error
    with archive:
        yield archive


def _damaged(source: Path, error: Exception | str) -> InvalidInput:
    return InvalidInput(f"{source} is no backup of Isengard, or not a whole one: {error}", field="file")


def _manifest(archive: zipfile.ZipFile, source: Path) -> dict[str, Any]:
    try:
        with archive.open(contents.MANIFEST) as file:
            manifest = orjson.loads(file.read(_MANIFEST_BYTES))
        form, revision = int(manifest["format"]), str(manifest["revision"])
    except KeyError as error:
        raise InvalidInput(
            f"{source} is no backup of Isengard: it holds no whole {contents.MANIFEST}", field="file"
        ) from error
    except (zipfile.BadZipFile, ValueError, TypeError, RuntimeError, NotImplementedError) as error:
        raise _damaged(source, error) from error
    if form > contents.FORMAT or revision not in REVISIONS:
        version = str(manifest.get("isengard", "?"))[:40]
        raise InvalidInput(
            f"{source} was made by a newer Isengard ({version}); upgrade this one and try again", field="file"
        )
    return dict(manifest)


def _members(archive: zipfile.ZipFile, source: Path) -> list[zipfile.ZipInfo]:
    """The files to unpack; raises `InvalidInput` if a single one is not what a backup holds."""
    members = [member for member in archive.infolist() if member.filename != contents.MANIFEST]
    names = {member.filename for member in members}
    for member in members:
        kind = stat.S_IFMT(member.external_attr >> 16)
        if not contents.is_safe(member.filename) or kind not in (0, stat.S_IFREG):
            raise InvalidInput(
                f"{source} holds {member.filename[:200]!r}, which no backup of Isengard does; nothing was restored",
                field="file",
            )
    if len(names) != len(members):
        raise InvalidInput(f"{source} holds a file twice; nothing was restored", field="file")
    return members


# Where it goes.


def _check_target(settings: Settings, target: Path) -> None:
    if not os.path.lexists(target):
        return
    if target.is_dir() and not target.is_symlink() and not any(target.iterdir()):
        return
    if (pid := _worker_on(settings)) is not None:
        raise Conflict(
            f"{target} is in use: a worker (process {pid}) runs on it; end it, or restore to another folder",
            field="data_dir",
        )
    raise Conflict(f"{target} is there already; move it away, or name another folder with --data-dir", field="data_dir")


def _worker_on(settings: Settings) -> int | None:
    """The process that works on the present folder, if there is one."""
    if not settings.paths.database.is_file() or not settings.paths.identity.is_file():
        return None
    url = settings.database_url
    store = Store(url.get_secret_value() if url else sqlite_url(settings.paths.database))  # as it is: not migrated
    with contextlib.suppress(IsengardError, OSError, TypeError), contextlib.closing(store):  # it is refused anyway
        here = folder_identity(settings.data_dir)
        return next((each.pid for each in store.workers() if each.folder == here and not is_dead(each)), None)
    return None


def _check_room(members: list[zipfile.ZipInfo], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    needed, free = sum(member.file_size for member in members), shutil.disk_usage(target.parent).free
    if needed > free:
        raise StorageError(
            f"the backup needs {needed // 2**20 + 1} MiB, but only {free // 2**20} MiB are free at {target.parent}"
        )


def _unpack(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], partial: Path, report: Report) -> None:
    done, expected = 0, sum(member.file_size for member in members)
    partial.mkdir(mode=0o755)
    (partial / "secrets").mkdir(mode=0o700)
    for member in members:
        path = partial / member.filename
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o600 if member.filename.startswith("secrets/") else 0o644
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file, archive.open(member) as packed:
            while piece := packed.read(_PIECE):
                file.write(piece)
                done += len(piece)
                report(done, expected)


# What it says.


def _settle(settings: Settings, restored: Restored) -> None:
    """Make journals and database agree, with nobody working and nothing running."""
    settings.paths.prepare()
    with contextlib.closing(open_store(settings)) as store:
        here = folder_identity(settings.data_dir)
        for worker in store.workers():
            if worker.folder == here:
                store.release(worker)
        for folder in settings.paths.jobs.iterdir():
            settings.paths.job(folder.name).make()
            restored.jobs += 1
        mend_journals(settings, store)
        for job in _all_jobs(store):
            _settle_job(settings, store, job, restored)
    restored.has_tokens = (settings.paths.secrets / "access.json").exists()


def _all_jobs(store: Store) -> Iterator[Job]:
    cursor: str | None = None
    while True:
        page = store.list_jobs(limit=500, cursor=cursor)
        yield from page.jobs
        cursor = page.cursor
        if cursor is None:
            return


def _settle_job(settings: Settings, store: Store, job: Job, restored: Restored) -> None:
    paths = settings.paths.job(job.id)
    if job.has_secrets and not settings.paths.job_secrets(job.id).exists():
        restored.without_secrets.append(job.id)
    if job.status.is_terminal or not paths.journal.exists():
        return
    told = JobFold.read(JournalReader(paths)).status
    if job.status not in HELD and told not in ("running", "cancelling"):
        restored.queued += 1
        return
    dead_runner.close(settings, job, dead_runner.RunnerDeath(None, None, in_backup=True))
    reconcile_journal(settings, store, job.id)
    restored.interrupted.append(job.id)
