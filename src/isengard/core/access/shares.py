"""Which share links there are: for people who ask. What a link opens is decided by its pass and never here.

In ``secrets/shares.json``; safe for several processes. A link that is over is forgotten with the next one that is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from isengard.core.access.owner_file import OwnerFile
from isengard.core.paths import DataDir


class Shares:
    """The share links of one data folder, by what their passes say; the passes themselves are not kept.

    Args:
        clock: Seconds since the epoch.
    """

    def __init__(self, data_dir: DataDir, clock: Callable[[], float] = time.time) -> None:
        self._file = OwnerFile(data_dir.secrets / "shares.json", _nothing)
        self._clock = clock

    def add(self, claims: Mapping[str, Any]) -> None:
        """Note the link whose pass says `claims`."""
        with self._file.changing() as known:
            known["links"] = [*self._going_on(known), dict(claims)]

    def of_job(self, job_id: str) -> list[dict[str, Any]]:
        """What the passes to one job say, oldest first; some may have been taken back."""
        return [claims for claims in self._going_on(self._file.read()) if claims["job"] == job_id]

    def _going_on(self, known: Mapping[str, Any]) -> list[dict[str, Any]]:
        now = self._clock()
        return [claims for claims in known["links"] if claims["exp"] > now]


def _nothing() -> dict[str, Any]:
    return {"links": []}
