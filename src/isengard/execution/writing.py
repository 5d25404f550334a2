"""Opens a job's journal for writing, waiting a little for a writer that is on its way out."""

from __future__ import annotations

import time

from isengard.core.errors import JournalLocked
from isengard.core.paths import JobPaths
from isengard.core.redaction import Redactor
from isengard.journal import JournalWriter

PATIENCE_S = 5.0
_ROUND_S = 0.02


def open_writer(
    paths: JobPaths, *, service: str, redactor: Redactor, correlation_id: str, patience_s: float = PATIENCE_S
) -> JournalWriter:
    """The writer; raises `JournalLocked` when another one keeps the journal for `patience_s`, or `StorageError`."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return JournalWriter.open(paths, service=service, redactor=redactor, correlation_id=correlation_id)
        except JournalLocked:
            if time.monotonic() > deadline:
                raise
            time.sleep(_ROUND_S)
