"""Keeps the readers of the journals asked about last, so that each question costs only what is new. Thread-safe."""

from __future__ import annotations

import threading
from collections import OrderedDict

from isengard.core.paths import DataDir
from isengard.journal.reader import JournalReader


class JournalReaders:
    """Hands out the reader of a job, the same one for as long as it is remembered.

    Args:
        capacity: How many are remembered at most.
        max_lines: How many lines all of them may know together; a million take about 50 MB. The one asked last stays.
    """

    def __init__(self, paths: DataDir, capacity: int = 64, max_lines: int = 3_000_000) -> None:
        self._paths = paths
        self._capacity = capacity
        self._max_lines = max_lines
        self._readers: OrderedDict[str, JournalReader] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, job_id: str) -> JournalReader:
        """The reader of a job; raises `NotFound` for what cannot be a job's id."""
        with self._lock:
            reader = self._readers.get(job_id) or JournalReader(self._paths.job(job_id))
            self._readers[job_id] = reader
            self._readers.move_to_end(job_id)
            while len(self._readers) > 1 and self._is_over():
                self._readers.popitem(last=False)
            return reader

    def _is_over(self) -> bool:
        known = sum(reader.known_lines for reader in self._readers.values())
        return len(self._readers) > self._capacity or known > self._max_lines
