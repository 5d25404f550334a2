"""How far somebody who carries journals elsewhere is behind, told from outside: what is written and not confirmed."""

from __future__ import annotations

import threading

from isengard.core.paths import DataDir
from isengard.journal.tour import Tour


class Lag:
    """The lag of one carrier in one data folder. Thread-safe."""

    def __init__(self, data: DataDir, carrier: str) -> None:
        self._tour = Tour(data, carrier)
        self._lock = threading.Lock()

    def bytes_behind(self) -> int:
        """Bytes of journals that the carrier has not had confirmed."""
        with self._lock:
            return sum(visit.refresh() for visit in self._tour.candidates())
