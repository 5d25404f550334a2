"""What schemathesis is told beside the schema: what there is on this server, and who is to get nothing.

``FUZZ_THINGS`` holds, as JSON, ids and file names that exist, by the name of the parameter; ``FUZZ_ROLE`` who asks.
"""

from __future__ import annotations

import json
import os
from typing import Any

import schemathesis

_THINGS: dict[str, list[str]] = json.loads(os.environ["FUZZ_THINGS"])
_ROLE = os.environ["FUZZ_ROLE"]
_READING = ("GET", "HEAD", "OPTIONS")


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Every other name is one that exists, lest all answers be 404."""
    for name, value in (path_parameters or {}).items():
        there = _THINGS.get(name, [])
        turn = len(str(value)) % (2 * len(there) + 1)
        if turn < len(there):
            path_parameters[name] = there[turn]
    return path_parameters


@schemathesis.hook
def filter_query(context: Any, query: dict[str, Any] | None) -> bool:
    """A parameter without a value counts as not given (decision 0171), so it is no wrong one that has to be refused."""
    return not any(value in ("", None, {}, [], [""]) for value in (query or {}).values())


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Trainings are of a character that exists."""
    if isinstance(body, dict) and isinstance(body.get("character_id"), str):
        body["character_id"] = _THINGS["character_id"][0]
    return body


@schemathesis.check
def refused_who_may_not(ctx: Any, response: Any, case: Any) -> None:
    """Without a token everything but liveness is refused; a viewer's token changes nothing."""
    if _ROLE == "nobody" and case.operation.path != "/health":
        assert response.status_code in (401, 403, 405, 429), f"{response.status_code} without a token"
    if _ROLE == "viewer" and case.method.upper() not in _READING:
        assert response.status_code in (403, 405), f"{response.status_code} to a viewer"
