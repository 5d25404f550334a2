"""What was taken back before its time: sessions that were left, and share links of a job. Kept until it would be over.

In ``secrets/withdrawn.json``; safe for several processes, each of which sees at once what another withdrew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from isengard.core.access.owner_file import OwnerFile
from isengard.core.paths import DataDir

LONGEST_SHARE_S = 90 * 24 * 3600
"""How long a share link is good for at most."""


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
        before = known["shares"].get(str(claims.get("job")))
        return claims["id"] in known["passes"] or (before is not None and claims["iat"] <= before)

    def take_back(self, claims: Mapping[str, Any]) -> None:
        """Take one pass back."""
        with self._file.changing() as known:
            self._forget(known)
            known["passes"][claims["id"]] = claims["exp"]

    def take_back_shares(self, job_id: str) -> None:
        """Take back every link to a job that was made until now."""
        with self._file.changing() as known:
            self._forget(known)
            known["shares"][job_id] = self._clock()

    def _forget(self, known: dict[str, Any]) -> None:
        now = self._clock()
        known["passes"] = {key: until for key, until in known["passes"].items() if until > now}
        known["shares"] = {job: at for job, at in known["shares"].items() if at + LONGEST_SHARE_S > now}


def _nothing() -> dict[str, Any]:
    return {"passes": {}, "shares": {}}
