"""Writes a backup of a data folder: one ZIP, made while API, worker and trainings run, there whole or not at all.

The database is copied by SQLite's own means, at one moment; PostgreSQL is backed up with its own tools, before. The
file is readable by its owner only, because it holds everything; secrets are in it only where they were asked for.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import orjson

from isengard import __version__
from isengard.core.clock import utc_now
from isengard.core.errors import Conflict, InvalidInput, StorageError
from isengard.core.settings import Settings
from isengard.diagnostics import backup_contents as contents
from isengard.diagnostics.backup_contents import Choice
from isengard.diagnostics.zip_stream import Member, zip_stream
from isengard.jobs.migrate import REVISIONS

Report = Callable[[int, int], None]
"""Called with the bytes done and the bytes there were at the beginning."""


@dataclass(slots=True)
class Written:
    """What was written.

    Attributes:
        jobs: How many jobs are in it.
        files: How many files.
        left_out: Files whose names no archive can hold.
        database: Whether the database is in it.
    """

    path: Path
    jobs: int = 0
    files: int = 0
    left_out: list[str] = field(default_factory=list)
    database: bool = True


def write_backup(
    settings: Settings, target: Path, choice: Choice, report: Report = lambda _done, _all: None
) -> Written:
    """Write a backup of the data folder to `target`.

    Raises:
        Conflict: `target` is there already.
        InvalidInput: `target` lies in the data folder.
        StorageError: It could not be written or something could not be read; nothing of it is left.
    """
    target = target.absolute()
    if os.path.lexists(target):
        raise Conflict(f"{target} is there already; name another file or remove it", field="file")
    if settings.data_dir.resolve() in target.resolve().parents:
        raise InvalidInput(f"{target} lies in the data folder itself; write the backup elsewhere", field="file")
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    written = Written(target, database=settings.database_url is None)
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for piece in zip_stream(_members(settings, choice, partial, written, report)):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.rename(partial, target)
    except OSError as error:
        raise StorageError(f"the backup could not be written to {target}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return written


def _members(settings: Settings, choice: Choice, partial: Path, written: Written, report: Report) -> Iterator[Member]:
    data, done = settings.paths, 0
    expected = sum(_size(path) for path in (data.database, *contents.files(data, choice)))
    manifest = {
        "format": contents.FORMAT,
        "isengard": __version__,
        "revision": REVISIONS[-1],
        "made_at": utc_now(),
        "database": "sqlite" if written.database else "elsewhere",
        "holds": asdict(choice),
    }
    yield Member(contents.MANIFEST, [orjson.dumps(manifest, option=orjson.OPT_INDENT_2)])
    if written.database:
        with _snapshot(data.database, partial) as copy, copy.open("rb") as file:
            yield Member(data.database.name, contents.pieces(file, copy.name))
    for path in contents.files(data, choice):
        report(min(done, expected), expected)
        name = path.relative_to(data.root).as_posix()
        if not contents.is_safe(name):
            written.left_out.append(name)
            continue
        with contextlib.suppress(FileNotFoundError), _opened(path, partial) as (file, modified):
            done += _size(path)
            written.files += 1
            written.jobs += path.name == "events.jsonl" and path.parent.parent == data.jobs
            yield Member(name, contents.pieces(file, path.name), path.suffix in contents.PACKED, modified)
    report(expected, expected)


@contextlib.contextmanager
def _opened(path: Path, partial: Path) -> Iterator[tuple[IO[bytes], float]]:
    """The open file, or a copy of a trainer's database taken at one moment, and when it was changed last."""
    modified = path.stat().st_mtime
    with contextlib.ExitStack() as stack:
        if path.suffix == ".db":
            with contextlib.suppress(sqlite3.Error):  # called so, but none: it is copied as it is
                path = stack.enter_context(_copied(path, partial))
        yield stack.enter_context(path.open("rb")), modified


@contextlib.contextmanager
def _snapshot(database: Path, partial: Path) -> Iterator[Path]:
    try:
        with _copied(database, partial) as copy:
            yield copy
    except sqlite3.Error as error:
        raise StorageError(f"the database {database} cannot be copied: {error}") from error


@contextlib.contextmanager
def _copied(database: Path, partial: Path) -> Iterator[Path]:
    """A copy of an SQLite database as it is at one moment, whoever writes to it; gone afterwards."""
    copy = partial.with_name(f"{partial.name}.db")
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=30)) as old,
            contextlib.closing(sqlite3.connect(copy)) as new,
        ):
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        yield copy
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
