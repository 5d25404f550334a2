"""What an actor may ask for: by role, and for a shared job by address. One decision, made before any route runs."""

from __future__ import annotations

import re

from isengard.core.access.roles import Actor, Role
from isengard.core.errors import Forbidden

READING = frozenset({"GET", "HEAD", "OPTIONS", "WEBSOCKET"})
"""Methods that change nothing."""
_OF_A_JOB = re.compile(r"/api/(?:jobs|training)/(?P<job>[^/]+)(?P<rest>/.*)?")
_OF_THE_SERVER = frozenset({"/metrics", "/ready", "/info", "/openapi.json"})
_VIEWERS_MAY_POST = frozenset({"/logout"})


def check_rights(actor: Actor, method: str, path: str) -> None:
    """Raise `Forbidden` unless `actor` may send `method` to `path` (decoded, without query)."""
    if actor.job_id is not None:
        _check_share(actor, path)
    if actor.role is Role.VIEWER and method not in READING and path not in _VIEWERS_MAY_POST:
        raise Forbidden("a viewer may look but not change anything; this needs an operator's token")


def _check_share(actor: Actor, path: str) -> None:
    """A share shows one job: its own addresses, who one is, and the page, which says what may be seen."""
    if path == "/api/whoami":
        return
    if path.startswith("/api/"):
        match = _OF_A_JOB.fullmatch(path)
        if match is None or match["job"] != actor.job_id:
            raise Forbidden("this share link shows one job only")
        if match["rest"] == "/share":
            raise Forbidden("a share link does not tell who else has one")
    elif path.rstrip("/") in _OF_THE_SERVER:
        raise Forbidden("this share link shows one job only")
