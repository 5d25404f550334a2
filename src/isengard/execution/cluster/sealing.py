"""Seals a job's secrets for the host that asked for it, so that nobody who only looks at Redis reads them.

A host makes a key pair for each job it begins and sends the public half with its question; the site seals the secrets
to it (X25519, HKDF-SHA256, ChaCha20-Poly1305). The private half never leaves the process that asked. So neither a
snapshot or append-only file of Redis nor MONITOR holds a secret. Whoever may write to Redis can pose as a host, though:
access to it stays a matter of trust (decision 0200).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

import orjson

from isengard.core.errors import Conflict

_NONCE = bytes(12)
"""Each key encrypts one text, so its nonce may be fixed."""
_KEY_BYTES = 32


class Unsealer:
    """A host's end: the key pair of one question."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # noqa: PLC0415 - hosts only

        self._private = X25519PrivateKey.generate()

    @property
    def public(self) -> str:
        """What goes along with the question."""
        return _text(self._private.public_key().public_bytes_raw())

    def open(self, sealed: str, about: str) -> dict[str, str]:
        """The secrets in `sealed`; raises `Conflict` unless they were sealed for this question, about the same."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305  # noqa: PLC0415

        try:
            data = base64.b64decode(sealed, validate=True)
            theirs, locked = data[:_KEY_BYTES], data[_KEY_BYTES:]
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(theirs))
            key = _key(shared, theirs, base64.b64decode(self.public))
            found = orjson.loads(ChaCha20Poly1305(key).decrypt(_NONCE, locked, about.encode()))
        except (ValueError, InvalidTag):
            raise Conflict("the site's answer holds secrets that were not sealed for this host") from None
        return {str(name): str(value) for name, value in found.items()}


def seal(secrets: Mapping[str, str], public: str, about: str) -> str:
    """`secrets`, readable only by the `Unsealer` with the key `public`; raises `Conflict` for what is no such key."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305  # noqa: PLC0415

    ours = X25519PrivateKey.generate()
    try:
        theirs = base64.b64decode(public, validate=True)
        shared = ours.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError:
        raise Conflict("the host sent no key to seal the job's secrets with; is it of another version?") from None
    mine = ours.public_key().public_bytes_raw()
    locked = ChaCha20Poly1305(_key(shared, mine, theirs)).encrypt(_NONCE, orjson.dumps(dict(secrets)), about.encode())
    return _text(mine + locked)


def _key(shared: bytes, site: bytes, host: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    return HKDF(SHA256(), 32, salt=None, info=b"isengard job secrets\0" + site + host).derive(shared)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
