"""Access tokens: made here, shown once, kept as hashes in ``secrets/access.json``. Never written out in clear.

A token is 256 random bits, so a single SHA-256 is as hard to turn back as it needs to be; a slow hash is for passwords
that people choose (OWASP, Password Storage Cheat Sheet).
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        self._path = data_dir.secrets / "access.json"
        self._read_at: tuple[int, int] | None = None
        self._tokens: tuple[Token, ...] = ()

    def all(self) -> tuple[Token, ...]:
        """The tokens, oldest first; a file changed by another process is read again."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return ()
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp != self._read_at:
            self._tokens = tuple(_token(item) for item in _read(self._path)["tokens"])
            self._read_at = stamp
        return self._tokens

    def create(self, name: str, role: Role) -> str:
        """Make a token and return it; it cannot be shown again.

        Raises:
            InvalidInput: The name is not 1 to 64 letters, digits, spaces and ``. _ @ -``.
            Conflict: A token has that name already.
        """
        if not _NAME.fullmatch(name):
            raise InvalidInput("a token's name is 1 to 64 letters, digits, spaces and . _ @ -", field="name")
        token = PREFIX + secrets.token_urlsafe(32)
        with self._changing() as data:
            if any(item["name"] == name for item in data["tokens"]):
                raise Conflict(f"there is a token named {name!r} already", field="name")
            digest = _digest(token)
            data["tokens"].append({"name": name, "role": role, "digest": digest, "created_at": utc_now()})
        return token

    def revoke(self, name: str) -> None:
        """Take a token back, with the sessions that were opened with it; raises `NotFound` for an unknown name."""
        with self._changing() as data:
            left = [item for item in data["tokens"] if item["name"] != name]
            if len(left) == len(data["tokens"]):
                raise NotFound(f"there is no token named {name[:64]!r}", field="name")
            data["tokens"] = left

    def actor(self, token: str) -> Actor | None:
        """Who holds `token`, None for nobody; compares in constant time."""
        digest = _digest(token)
        found = None
        for known in self.all():
            if hmac.compare_digest(known.digest, digest):
                found = Actor(known.name, known.role)
        return found

    def named(self, name: str) -> Actor | None:
        """The holder of the token called `name`, None when it was revoked."""
        return next((Actor(token.name, token.role) for token in self.all() if token.name == name), None)

    def signing_key(self) -> bytes:
        """The key that signs sessions and shares; made at first use."""
        with self._changing() as data:
            return bytes.fromhex(data["signing_key"])

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """Read the file under a lock and put what the body makes of it in place, whole or not at all."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            data = _read(self._path)
            before = json.dumps(data)
            yield data
            if json.dumps(data) != before or not self._path.exists():
                _write(self._path, data)
        finally:
            os.close(lock)


def _read(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"signing_key": secrets.token_hex(32), "tokens": []}
    return data


def _write(path: Path, data: dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _token(item: dict[str, Any]) -> Token:
    return Token(item["name"], Role(item["role"]), item["digest"], item["created_at"])


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
