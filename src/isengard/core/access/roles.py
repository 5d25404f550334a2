"""Roles: what somebody who got in may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """A viewer reads everything; an operator also starts, stops, changes and deletes."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever is behind a request.

    Attributes:
        name: Whom the audit trail names: a token's name, ``local``, or ``share:`` and a job's id.
        job_id: The one job that may be seen; None for all.
        seal: Which credential is behind it, told by a keyed hash: what it opens ends with it.
    """

    name: str
    role: Role
    job_id: str | None = None
    seal: str = ""


LOCAL = Actor("local", Role.OPERATOR)
"""Whoever reaches a loopback address of a server that has no tokens."""
