"""Passes: short signed texts that say who somebody is until a time. Used for sessions and for shared jobs.

Form: ``v1.<base64url of JSON>.<base64url of HMAC-SHA-256>``. Nothing in a pass is secret; the signature makes it true.
Each has an ``id`` and the time of its issue (``iat``), by which it can be taken back before its end (``exp``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

_VERSION = "v1"
_LONGEST = 2048


class PassSigner:
    """Issues and checks passes of one kind.

    Args:
        key: The secret key; passes of one kind are no good for another.
        kind: ``session`` or ``share``.
        clock: Seconds since the epoch.
    """

    def __init__(self, key: bytes, kind: str, clock: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(key, kind.encode(), hashlib.sha256)
        self._clock = clock

    def issue(self, claims: dict[str, Any], lifetime_s: float) -> str:
        """A pass that says `claims` for `lifetime_s` seconds from now."""
        now = self._clock()
        own = {"id": secrets.token_urlsafe(12), "iat": round(now, 3), "exp": round(now + lifetime_s)}
        body = _encode(json.dumps({**claims, **own}, separators=(",", ":")).encode())
        return f"{_VERSION}.{body}.{_encode(self._sign(body))}"

    def read(self, text: str) -> dict[str, Any] | None:
        """What a pass says; None for one that is forged, malformed or over."""
        parts = text.split(".") if len(text) <= _LONGEST else []
        if len(parts) != 3 or parts[0] != _VERSION:
            return None
        try:
            signature = _decode(parts[2])
            if not hmac.compare_digest(signature, self._sign(parts[1])):
                return None
            claims: dict[str, Any] = json.loads(_decode(parts[1]))
        except (ValueError, binascii.Error):
            return None
        return claims if float(claims["exp"]) > self._clock() else None

    def _sign(self, body: str) -> bytes:
        return hmac.digest(self._key, f"{_VERSION}.{body}".encode("utf-8", "surrogateescape"), hashlib.sha256)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
