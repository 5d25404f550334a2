"""Who may talk to this server, decided before any route is: by name, by origin, by token.

A page on another site must not reach it through the visitor's browser, on any method, stream or socket: the ``Host``
must be one of ours (DNS rebinding) and an ``Origin`` must be the server itself (cross-site requests; ``null`` is not).
Where a token is set, everything but liveness wants it. `Authenticator` is the place for other ways to log in.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Iterable
from typing import Protocol
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from isengard.api.errors import problem_of
from isengard.core.errors import Forbidden, IsengardError, Unauthenticated
from isengard.core.settings import Settings

OPEN_PATHS = frozenset({"/health"})
"""Answered without a token, for load balancers."""


class Authenticator(Protocol):
    """Decides whether a request comes from somebody who may."""

    def check(self, headers: Headers, scope: Scope) -> None:
        """Raise `Unauthenticated` or `Forbidden`, or return."""
        ...


class Everybody:
    """No token is set: whoever reaches the loopback address may."""

    def check(self, headers: Headers, scope: Scope) -> None:
        """Let everybody in."""


class BearerToken:
    """``Authorization: Bearer <token>``."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def check(self, headers: Headers, scope: Scope) -> None:
        """Compare in constant time."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token):
            raise Unauthenticated("this server needs its token: send it as 'Authorization: Bearer …'")


def authenticator(settings: Settings) -> Authenticator:
    """The one these settings ask for."""
    return BearerToken(settings.token.get_secret_value()) if settings.token else Everybody()


class AccessGuard:
    """Refuses what may not pass; wraps `app`."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str], authenticator: Authenticator) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope, Headers(scope=scope))
        except IsengardError as error:
            await _refuse(error, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: Headers) -> None:
        check_host(headers.get("host"), self._hosts)
        check_origin(headers)
        if scope["path"] not in OPEN_PATHS:
            self._authenticator.check(headers, scope)


def own_hosts(settings: Settings) -> set[str]:
    """The names this server answers to, beside IP addresses, which no foreign domain can pose as."""
    configured = {name.strip().lower() for name in settings.allowed_hosts.split(",") if name.strip()}
    return {"localhost", settings.host.lower(), socket.gethostname().lower(), *configured}


def check_host(host: str | None, own: frozenset[str]) -> None:
    """Raise `Forbidden` unless `host` (a ``Host`` header) names this server."""
    name = _hostname(host or "")
    if name and (name in own or name.endswith(".localhost") or _is_address(name)):
        return
    raise Forbidden(
        f"the Host header {(host or '')[:100]!r} is not one that this server answers to; "
        "ISENGARD_ALLOWED_HOSTS adds names"
    )


def check_origin(headers: Headers) -> None:
    """Raise `Forbidden` for a request that another site's page makes through the visitor's browser."""
    origin = headers.get("origin")
    if origin is not None:
        if urlsplit(origin).netloc.lower() != headers.get("host", "").lower() or not origin.startswith("http"):
            raise Forbidden(f"requests from the origin {origin[:100]!r} are not accepted here")
        return
    from_elsewhere = headers.get("sec-fetch-site") in ("cross-site", "same-site")
    if from_elsewhere and headers.get("sec-fetch-mode") != "navigate":
        raise Forbidden("requests from another site's page are not accepted here")


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _refuse(error: IsengardError, scope: Scope, receive: Receive, send: Send) -> None:
    response = problem_of(error)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)
