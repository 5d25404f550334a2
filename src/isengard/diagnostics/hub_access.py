"""Whether a base model of the Hugging Face hub can be had: asks for one small file's headers. Downloads nothing."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

_MODEL_ID = re.compile(r"[A-Za-z0-9_][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)
"""No part begins with a dot: ``../x`` would lead to another address of the hub."""
TOKEN = "HF_TOKEN"  # noqa: S105 - the name of the variable
_FILES = ("model_index.json", "config.json")
_TIMEOUT_S = 6.0


class Access(StrEnum):
    """What the hub said."""

    GRANTED = "granted"
    GATED = "gated"
    REFUSED = "token_refused"
    MISSING = "missing"
    UNREACHABLE = "unreachable"


def is_hub_model(reference: str) -> bool:
    """Whether `reference` names a model of the hub and no place on this disk."""
    return bool(_MODEL_ID.fullmatch(reference)) and not Path(reference).expanduser().exists()


def endpoint(environment: Mapping[str, str]) -> str | None:
    """The hub's address: ``HF_ENDPOINT``, else that of the installed client; None when offline or without a client."""
    if environment.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return None
    if environment.get("HF_ENDPOINT"):
        return environment["HF_ENDPOINT"].rstrip("/")
    try:
        from huggingface_hub import constants  # noqa: PLC0415 - an optional package
    except ImportError:
        return None
    return str(constants.ENDPOINT).rstrip("/")


def look(model_id: str, address: str, token: str | None) -> Access:
    """Ask for the first of the files that every model has one of."""
    found = Access.MISSING
    for name in _FILES:
        found = _look_at(f"{address}/{model_id}/resolve/main/{name}", token)
        if found is not Access.MISSING:
            return found
    return found


def _look_at(url: str, token: str | None) -> Access:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers=headers, method="HEAD")  # noqa: S310 - the person's own setting
    try:
        with _opener().open(request, timeout=_TIMEOUT_S):
            return Access.GRANTED
    except urllib.error.HTTPError as error:
        return _meaning(error, has_token=token is not None)
    except (OSError, ValueError):
        return Access.UNREACHABLE


def _meaning(answer: urllib.error.HTTPError, *, has_token: bool) -> Access:
    code = answer.headers.get("X-Error-Code", "")
    if 300 <= answer.code < 400:
        return Access.GRANTED  # it would send us to the file
    if code == "GatedRepo" or answer.code == 403:
        return Access.GATED
    if answer.code == 401:
        return Access.REFUSED if has_token else Access.MISSING  # a private model and none look the same
    return Access.MISSING if answer.code == 404 else Access.UNREACHABLE


def _opener() -> urllib.request.OpenerDirector:
    """Speaks HTTP and HTTPS, by the machine's proxy if it has one, and nothing else: an address may not be a file's."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        *(urllib.request.ProxyHandler(), urllib.request.UnknownHandler(), urllib.request.HTTPHandler()),
        *(urllib.request.HTTPSHandler(), urllib.request.HTTPDefaultErrorHandler(), _Stay()),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: that there is one is the answer."""

    def redirect_request(self, *_arguments: object) -> None:
        """Nothing to follow."""
