"""Two SQLite files of ai-toolkit: its UI's job table, by which it takes requests, and its loss log.

ai-toolkit looks at the job row after every step, where the file exists and ``AITK_JOB_ID`` names the row. Each job gets
a private copy of that table, so that ours never meets the database of ai-toolkit's own UI.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
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


class LossLog:
    """Reads ``loss_log.db``: the figures of each step before they were rounded for the bar. Never writes to it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def figures(self, step: int) -> dict[str, float]:
        """The figures logged for `step` by key (``learning_rate``, ``loss/loss``); empty when there are none."""
        if not self._path.exists():
            return {}
        uri = f"file:{_quoted(self._path)}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=0.2)) as connection:
                rows = connection.execute(
                    "SELECT key, value_real FROM metrics WHERE step = ? AND value_real IS NOT NULL", (step,)
                ).fetchall()
        except sqlite3.Error:
            return {}
        return {str(key): float(value) for key, value in rows}


def _quoted(path: Path) -> str:
    return path.absolute().as_posix().replace("%", "%25").replace("?", "%3f").replace("#", "%23")
