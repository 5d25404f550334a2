"""Two SQLite files of ai-toolkit: its UI's job table, by which it takes requests, and its loss log.

ai-toolkit looks at the job row after every step, where the file exists and ``AITK_JOB_ID`` names the row. Each job gets
a private copy of that table, so that ours never meets the database of ai-toolkit's own UI.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_JOB_TABLE = """
CREATE TABLE IF NOT EXISTS Job (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, gpu_ids TEXT NOT NULL DEFAULT '0', job_config TEXT NOT NULL DEFAULT '{}',
    status TEXT NOT NULL DEFAULT 'running', stop INTEGER NOT NULL DEFAULT 0, return_to_queue INTEGER NOT NULL DEFAULT 0,
    step INTEGER NOT NULL DEFAULT 0, total_steps INTEGER, info TEXT NOT NULL DEFAULT '',
    speed_string TEXT NOT NULL DEFAULT '', queue_position INTEGER NOT NULL DEFAULT 0, pid INTEGER,
    job_type TEXT NOT NULL DEFAULT 'train', job_ref TEXT, save_now INTEGER NOT NULL DEFAULT 0,
    sample_now INTEGER NOT NULL DEFAULT 0)
"""


class JobTable:
    """The private job table of one run.

    Args:
        path: The SQLite file; created by `prepare`.
        job_id: The row's id, handed to ai-toolkit as ``AITK_JOB_ID``.
    """

    def __init__(self, path: Path, job_id: str) -> None:
        self._path = path
        self._job_id = job_id

    def prepare(self) -> None:
        """Create the table and a fresh row, with no request pending."""
        with self._connect() as connection:
            connection.execute(_JOB_TABLE)
            connection.execute("DELETE FROM Job WHERE id = ?", (self._job_id,))
            connection.execute("INSERT INTO Job (id, name) VALUES (?, ?)", (self._job_id, self._job_id))

    def ask_stop(self) -> None:
        """Ask for an end at the next step; ai-toolkit then raises ``Job stopped`` and exits with 1."""
        self._set("stop")

    def ask_save(self) -> None:
        """Ask for a checkpoint at the next step."""
        self._set("save_now")

    def ask_sample(self) -> None:
        """Ask for samples at the next step."""
        self._set("sample_now")

    def _set(self, column: str) -> None:
        with self._connect() as connection:
            connection.execute(f"UPDATE Job SET {column} = 1 WHERE id = ?", (self._job_id,))  # noqa: S608 - our names

    def status(self) -> str:
        """What ai-toolkit last said of itself: ``running``, ``stopped``, ``error`` or ``completed``."""
        try:
            with self._connect() as connection:
                row = connection.execute("SELECT status FROM Job WHERE id = ?", (self._job_id,)).fetchone()
        except sqlite3.Error:
            return "running"
        return str(row[0]) if row else "running"

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=5)) as connection, connection:
            yield connection


@dataclass(frozen=True, slots=True)
class LoggedStep:
    """One row of the loss log: the figures of `step` by key (``learning_rate``, ``loss/loss``)."""

    step: int
    figures: dict[str, float]


class LossLog:
    """Reads ``loss_log.db``: the figures of each step before they were rounded for the bar. Never writes to it.

    ai-toolkit writes a row at the end of its step, several at a time when steps are short, and deletes the rows behind
    the step it resumes from. What lies in the file when this is made belongs to earlier attempts.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state: tuple[object, ...] = ()
        self._known: dict[int, float] = {}
        self._known = {step: wall_time for step, wall_time, _, _ in self._read(-1)}

    def new_steps(self, after: int) -> list[LoggedStep]:
        """The steps above `after` that this run has logged, in order; nothing while the file has not changed."""
        state = self._stat()
        if state == self._state:
            return []
        found: dict[int, LoggedStep] = {}
        for step, wall_time, key, value in self._read(after):
            if self._known.get(step) != wall_time:
                logged = found.setdefault(step, LoggedStep(step, {}))
                if key is not None and value is not None:
                    logged.figures[key] = value
        self._state = state
        return list(found.values())

    def exists(self) -> bool:
        """Whether there is a log at all."""
        return self._path.exists()

    def _stat(self) -> tuple[object, ...]:
        parts: list[object] = []
        for name in (self._path, self._path.with_name(f"{self._path.name}-wal")):
            with suppress(OSError):
                stat = name.stat()
                parts += [stat.st_mtime_ns, stat.st_size, stat.st_ino]
        return tuple(parts)

    def _read(self, after: int) -> list[tuple[int, float, str | None, float | None]]:
        if not self._path.exists():
            return []
        uri = f"file:{_quoted(self._path)}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=0.2)) as connection:
                return connection.execute(_NEW_ROWS, (after,)).fetchall()
        except sqlite3.Error:  # not yet a database, or one that is just being made: it is read again at the next change
            return []


_NEW_ROWS = """
SELECT steps.step, steps.wall_time, metrics.key, metrics.value_real
FROM steps LEFT JOIN metrics ON metrics.step = steps.step WHERE steps.step > ? ORDER BY steps.step
"""


def _quoted(path: Path) -> str:
    return path.absolute().as_posix().replace("%", "%25").replace("?", "%3f").replace("#", "%23")
