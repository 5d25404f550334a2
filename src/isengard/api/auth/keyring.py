"""Decides who is behind a request, from its token, its session cookie or its share cookie. Never answers a request.

Sessions and share links are passes that carry the seal of the token they were made with: when it is revoked or, as the
one of the settings, changed, they are over, and a new token of the same name does not bring them back. The cookies are
HttpOnly and SameSite: no script reads them and no other site's page sends them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Scope

from isengard.core.access.passes import PassSigner
from isengard.core.access.roles import LOCAL, Actor, Role
from isengard.core.access.shares import Shares
from isengard.core.access.throttle import FailureThrottle
from isengard.core.access.tokens import TokenFile, digest_of
from isengard.core.access.withdrawn import Withdrawn
from isengard.core.errors import StorageError, Unauthenticated

SESSION_COOKIE = "isengard_session"
SHARE_COOKIE = "isengard_share"
SESSION_S = 14 * 24 * 3600
SETTINGS_TOKEN = "ISENGARD_TOKEN"  # noqa: S105 - the name under which the audit trail knows the token of the settings


@dataclass(frozen=True, slots=True)
class ShareLink:
    """A share link that holds.

    Attributes:
        made_by: Name of the token it was made with.
    """

    made_by: str
    made_at: datetime
    expires_at: datetime


class OpenDoor:
    """A server on a loopback address without tokens: whoever reaches it is the operator."""

    def identify(self, headers: Headers, scope: Scope) -> Actor:
        """The local operator."""
        return LOCAL

    def stands(self, headers: Headers, actor: Actor) -> bool:
        """Always: there is nothing to take back."""
        return True


class Keyring:
    """A server with tokens.

    Args:
        tokens: The stored ones.
        configured: The token of the settings, an operator's; empty for none.
        withdrawn: The passes that hold no longer.
        shares: The share links that were made.
    """

    def __init__(self, tokens: TokenFile, configured: str, withdrawn: Withdrawn, shares: Shares) -> None:
        self._key = tokens.signing_key()
        self._tokens = tokens
        self._configured = configured.encode()
        self._withdrawn = withdrawn
        self._made = shares
        self._throttle = FailureThrottle()
        self._sessions = PassSigner(self._key, "session")
        self._shares = PassSigner(self._key, "share")

    def identify(self, headers: Headers, scope: Scope) -> Actor:
        """Who is behind a request; the first credential it carries counts.

        Raises:
            Unauthenticated: It carries none, or one that is wrong or over.
            RateLimited: Its address has guessed too often.
        """
        token = _bearer(headers)
        if token is not None:
            return self.log_in(token, address_of(scope))
        actor = self._by_cookie(headers)
        if actor is None:
            raise Unauthenticated("this server needs a token: send it as 'Authorization: Bearer …' or log in at /login")
        return actor

    def stands(self, headers: Headers, actor: Actor) -> bool:
        """Whether a request that went on would still be `actor`'s: nothing was taken back, nothing is over."""
        token = _bearer(headers)
        try:
            return (self._by_cookie(headers) if token is None else self._holder(token)) == actor
        except StorageError:  # who cannot be told apart is nobody; the next request says why
            return False

    def log_in(self, token: str, address: str) -> Actor:
        """Who holds `token`; a wrong one counts against `address`."""
        self._throttle.check(address)
        actor = self._holder(token)
        if actor is None:
            self._throttle.failed(address)
            raise Unauthenticated("this token is not valid here")
        if actor.role is Role.OPERATOR:  # a viewer's token in between would give free guesses at an operator's
            self._throttle.succeeded(address)
        return actor

    def open_session(self, actor: Actor) -> str:
        """The value of the session cookie for somebody who has just logged in."""
        return self._sessions.issue({"by": actor.seal}, SESSION_S)

    def end_session(self, headers: Headers) -> None:
        """Have the session of a request be over, whoever else has its cookie."""
        claims = self._read(self._sessions, _cookies(headers).get(SESSION_COOKIE, ""))
        if claims is not None:
            self._withdrawn.take_back(claims)

    def share(self, actor: Actor, job_id: str, lifetime_s: float) -> str:
        """A pass to one job in the name of `actor`."""
        claims = {"job": job_id, "by": actor.seal, "round": self._withdrawn.round(job_id)}
        text = self._shares.issue(claims, lifetime_s)
        if (made := self._shares.read(text)) is not None:
            self._made.add(made)
        return text

    def shares_of(self, job_id: str) -> list[ShareLink]:
        """The links that show a job now, oldest first: not over, not taken back, made with a token that holds."""
        return [
            ShareLink(maker.name, _moment(claims["iat"]), _moment(claims["exp"]))
            for claims in self._made.of_job(job_id)
            if not self._withdrawn.has(claims) and (maker := self._sealed(claims)) is not None
        ]

    def shared_job(self, pass_text: str) -> str | None:
        """The job that a pass shows; None where it does not hold."""
        claims = self._read(self._shares, pass_text)
        return None if claims is None or self._sealed(claims) is None else str(claims["job"])

    def end_shares(self, job_id: str) -> None:
        """Have every link to a job that was made until now be over."""
        self._withdrawn.take_back_shares(job_id)

    def _holder(self, token: str) -> Actor | None:
        given = token.encode("utf-8", "surrogateescape")
        if self._configured and hmac.compare_digest(given, self._configured):
            return self._of_the_settings()
        actor = self._tokens.actor(token)
        return None if actor is None else replace(actor, seal=self._seal(digest_of(token)))

    def _of_the_settings(self) -> Actor:
        seal = self._seal(hashlib.sha256(self._configured).hexdigest())
        return Actor(SETTINGS_TOKEN, Role.OPERATOR, seal=seal)

    def _by_cookie(self, headers: Headers) -> Actor | None:
        cookies = _cookies(headers)
        session = self._read(self._sessions, cookies.get(SESSION_COOKIE, ""))
        actor = None if session is None else self._sealed(session)
        if actor is not None:
            return actor
        job_id = self.shared_job(cookies.get(SHARE_COOKIE, ""))
        return None if job_id is None else Actor(f"share:{job_id}", Role.VIEWER, job_id)

    def _read(self, signer: PassSigner, text: str) -> dict[str, Any] | None:
        claims = signer.read(text)
        return None if claims is None or "id" not in claims or self._withdrawn.has(claims) else claims

    def _sealed(self, claims: Mapping[str, Any]) -> Actor | None:
        """Whoever's token a pass was made with; None when it is gone."""
        seal = str(claims.get("by"))
        if self._configured and hmac.compare_digest(self._of_the_settings().seal, seal):
            return self._of_the_settings()
        for token in self._tokens.all():
            if hmac.compare_digest(self._seal(token.digest), seal):
                return Actor(token.name, token.role, seal=seal)
        return None

    def _seal(self, digest: str) -> str:
        return hmac.digest(self._key, digest.encode(), hashlib.sha256).hex()[:32]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _bearer(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def address_of(scope: Scope) -> str:
    """The address a request comes from, as the server sees it; a proxy's header is not believed."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _cookies(headers: Headers) -> dict[str, str]:
    try:
        parsed = SimpleCookie(headers.get("cookie", "")[:8192])
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in parsed.items()}
