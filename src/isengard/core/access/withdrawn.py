"""What was taken back before its time: sessions that were left, and share links of a job. Kept until it would be over.

In ``secrets/withdrawn.json``; safe for several processes, each of which sees at once what another withdrew. Which links
were made before a withdrawal is told by counting, not by the clock, which may have been set back in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from isengard.core.access.owner_file import OwnerFile
from isengard.core.paths import DataDir

LONGEST_SHARE_S = 90 * 24 * 3600
"""How long a share link is good for at most."""
_KEEP_S = 30 * 24 * 3600
"""How much longer than its pass a withdrawal is remembered: a clock that is set back makes the pass good again."""


class Withdrawn:
    """The passes of one data folder that hold no longer.

    Args:
        clock: Seconds since the epoch.
    """

    def __init__(self, data_dir: DataDir, clock: Callable[[], float] = time.time) -> None:
        self._file = OwnerFile(data_dir.secrets / "withdrawn.json", _nothing)
        self._clock = clock

    def has(self, claims: Mapping[str, Any]) -> bool:
        """Whether the pass that says `claims` was taken back."""
        known = self._file.read()
        if claims["id"] in known["passes"]:
            return True
        job_id = str(claims.get("job"))
        if "round" in claims:
            return bool(claims["round"] < known["rounds"].get(job_id, 0))
        before = known["shares"].get(job_id)  # a link of a version that went by the clock
        return job_id in known["rounds"] or (before is not None and claims["iat"] <= before)

    def round(self, job_id: str) -> int:
        """How often the links to a job were taken back; a new link carries it as ``round``."""
        return int(self._file.read()["rounds"].get(job_id, 0))

    def take_back(self, claims: Mapping[str, Any]) -> None:
        """Take one pass back."""
        with self._file.changing() as known:
            self._forget(known)
            known["passes"][claims["id"]] = claims["exp"]

    def take_back_shares(self, job_id: str) -> None:
        """Take back every link to a job that was made until now."""
        with self._file.changing() as known:
            self._forget(known)
            known["rounds"][job_id] = known["rounds"].get(job_id, 0) + 1

    def _forget(self, known: dict[str, Any]) -> None:
        now = self._clock()
        known["passes"] = {key: until for key, until in known["passes"].items() if until + _KEEP_S > now}
        known["shares"] = {job: at for job, at in known["shares"].items() if at + LONGEST_SHARE_S + _KEEP_S > now}


def _nothing() -> dict[str, Any]:
    return {"passes": {}, "shares": {}, "rounds": {}}
