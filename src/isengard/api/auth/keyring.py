"""Decides who is behind a request, from its token, its session cookie or its share cookie. Never answers a request.

A session is a pass that names the token it was opened with, so revoking the token ends it. The cookies are HttpOnly and
SameSite=Strict: no script reads them and no other site's page sends them.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.types import Scope

from isengard.core.access.passes import PassOffice
from isengard.core.access.roles import LOCAL, Actor, Role
from isengard.core.access.throttle import FailureThrottle
from isengard.core.access.tokens import TokenFile
from isengard.core.errors import Unauthenticated

SESSION_COOKIE = "isengard_session"
SHARE_COOKIE = "isengard_share"
SESSION_S = 14 * 24 * 3600
SETTINGS_TOKEN = "ISENGARD_TOKEN"  # noqa: S105 - the name under which the audit trail knows the token of the settings


class OpenDoor:
    """A server on a loopback address without tokens: whoever reaches it is the operator."""

    def identify(self, headers: Headers, scope: Scope) -> Actor:
        """The local operator."""
        return LOCAL


class Keyring:
    """A server with tokens.

    Args:
        tokens: The stored ones.
        configured: The token of the settings, an operator's; empty for none.
    """

    def __init__(self, tokens: TokenFile, configured: str) -> None:
        key = tokens.signing_key()
        self._tokens = tokens
        self._configured = configured.encode()
        self._throttle = FailureThrottle()
        self.sessions = PassOffice(key, "session")
        self.shares = PassOffice(key, "share")

    def identify(self, headers: Headers, scope: Scope) -> Actor:
        """Who is behind a request; the first credential it carries counts.

        Raises:
            Unauthenticated: It carries none, or one that is wrong or over.
            RateLimited: Its address has guessed too often.
        """
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.log_in(token.strip(), address_of(scope))
        actor = self._by_cookie(headers)
        if actor is None:
            raise Unauthenticated("this server needs a token: send it as 'Authorization: Bearer …' or log in at /login")
        return actor

    def log_in(self, token: str, address: str) -> Actor:
        """Who holds `token`; a wrong one counts against `address`."""
        self._throttle.check(address)
        actor = self._holder(token)
        if actor is None:
            self._throttle.failed(address)
            raise Unauthenticated("this token is not valid here")
        self._throttle.succeeded(address)
        return actor

    def open_session(self, actor: Actor) -> str:
        """The value of the session cookie for somebody who has just logged in."""
        return self.sessions.issue({"name": actor.name}, SESSION_S)

    def _holder(self, token: str) -> Actor | None:
        given = token.encode("utf-8", "surrogateescape")
        if self._configured and hmac.compare_digest(given, self._configured):
            return Actor(SETTINGS_TOKEN, Role.OPERATOR)
        return self._tokens.actor(token)

    def _by_cookie(self, headers: Headers) -> Actor | None:
        cookies = _cookies(headers)
        session = self.sessions.read(cookies.get(SESSION_COOKIE, ""))
        if session is not None:
            return self._session_holder(str(session.get("name")))
        share = self.shares.read(cookies.get(SHARE_COOKIE, ""))
        return None if share is None else Actor(f"share:{share['job']}", Role.VIEWER, str(share["job"]))

    def _session_holder(self, name: str) -> Actor | None:
        if name == SETTINGS_TOKEN:
            return Actor(SETTINGS_TOKEN, Role.OPERATOR) if self._configured else None
        return self._tokens.named(name)


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
