"""Access tokens: made here, shown once, kept as hashes in ``secrets/access.json``. Never written out in clear.

A token is 256 random bits, so a single SHA-256 is as hard to turn back as it needs to be; a slow hash is for passwords
that people choose (OWASP, Password Storage Cheat Sheet).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Any

from isengard.core.access.owner_file import OwnerFile
from isengard.core.access.roles import Actor, Role
from isengard.core.clock import utc_now
from isengard.core.errors import Conflict, InvalidInput, NotFound
from isengard.core.paths import DataDir

PREFIX = "isg_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token."""

    name: str
    role: Role
    digest: str
    created_at: str


class TokenFile:
    """The tokens of one data folder and the key that signs its sessions; safe for several processes.

    Args:
        data_dir: Its ``secrets/`` holds the file, readable by the owner only.
    """

    def __init__(self, data_dir: DataDir) -> None:
        self._file = OwnerFile(data_dir.secrets / "access.json", _first_content)
        self._seen: tuple[Any, tuple[Token, ...]] = ((), ())

    def all(self) -> tuple[Token, ...]:
        """The tokens, oldest first; raises `StorageError` where the file cannot be read."""
        items = self._file.read()["tokens"]
        if items is not self._seen[0]:
            try:
                self._seen = (items, tuple(_token(item) for item in items))
            except (KeyError, TypeError, ValueError) as error:
                raise self._file.damaged("a token in it is not whole") from error
        return self._seen[1]

    def create(self, name: str, role: Role) -> str:
        """Make a token and return it; it cannot be shown again.

        Raises:
            InvalidInput: The name is not 1 to 64 letters, digits, spaces and ``. _ @ -``.
            Conflict: A token has that name already.
        """
        if not _NAME.fullmatch(name):
            raise InvalidInput("a token's name is 1 to 64 letters, digits, spaces and . _ @ -", field="name")
        token = PREFIX + secrets.token_urlsafe(32)
        with self._file.changing() as data:
            if any(item["name"] == name for item in data["tokens"]):
                raise Conflict(f"there is a token named {name!r} already", field="name")
            digest = digest_of(token)
            data["tokens"].append({"name": name, "role": role, "digest": digest, "created_at": utc_now()})
        return token

    def revoke(self, name: str) -> None:
        """Take a token back, with the sessions that were opened with it; raises `NotFound` for an unknown name."""
        with self._file.changing() as data:
            left = [item for item in data["tokens"] if item["name"] != name]
            if len(left) == len(data["tokens"]):
                raise NotFound(f"there is no token named {name[:64]!r}", field="name")
            data["tokens"] = left

    def actor(self, token: str) -> Actor | None:
        """Who holds `token`, None for nobody; compares in constant time."""
        digest = digest_of(token)
        found = None
        for known in self.all():
            if hmac.compare_digest(known.digest, digest):
                found = Actor(known.name, known.role)
        return found

    def signing_key(self) -> bytes:
        """The key that signs sessions and shares; made at first use."""
        with self._file.changing() as data:
            return bytes.fromhex(data["signing_key"])


def _first_content() -> dict[str, Any]:
    return {"signing_key": secrets.token_hex(32), "tokens": []}


def _token(item: dict[str, Any]) -> Token:
    return Token(item["name"], Role(item["role"]), item["digest"], item["created_at"])


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
