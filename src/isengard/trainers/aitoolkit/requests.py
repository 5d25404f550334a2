"""Passes the runner's requests on to ai-toolkit through its job table: stop, save now, sample now, and save-and-stop.

ai-toolkit looks for a stop before it saves, so for "save and stop" the stop waits until the checkpoint stands.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from isengard.trainers.aitoolkit.database import JobTable


class Requests:
    """The marker files of one run and what became of them.

    Args:
        folder: Where the runner leaves ``stop``, ``save`` and ``sample``.
        table: ai-toolkit's job table.
    """

    def __init__(self, folder: Path, table: JobTable) -> None:
        self._folder = folder
        self._table = table
        self._saving = False
        self._stopping = False

    def pass_on(self) -> None:
        """Hand over what was asked for since the last call; a busy database is tried again at the next."""
        try:
            if self._take("save"):
                self._table.ask_save()
                self._saving = True
            if self._take("sample"):
                self._table.ask_sample()
            if (self._folder / "stop").exists() and not self._saving and not self._stopping:
                self._table.ask_stop()
                self._stopping = True
        except sqlite3.OperationalError:
            return

    def heard(self, text: str) -> None:
        """Listen for the word that a checkpoint is complete."""
        if text.startswith("Saved checkpoint to "):
            self._saving = False

    def _take(self, marker: str) -> bool:
        try:
            (self._folder / marker).unlink()
        except FileNotFoundError:
            return False
        return True
