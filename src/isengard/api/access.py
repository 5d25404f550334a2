"""Who may talk to this server, decided before any route is: by name, by origin, by token.

A page on another site must not reach it through the visitor's browser, on any method, stream or socket: the ``Host``
must be one of ours (DNS rebinding) and an ``Origin`` must be the server itself (cross-site requests; ``null`` is not).
Where the server has tokens, everything but liveness and the login wants one; roles and share links narrow it.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Protocol
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from isengard.api.auth.keyring import address_of
from isengard.api.auth.pages import to_login
from isengard.api.auth.rights import READING, check_rights
from isengard.api.errors import problem_of, status_of
from isengard.api.services import services_of
from isengard.core.access.roles import Actor, Role
from isengard.core.errors import Forbidden, IsengardError, RateLimited, Unauthenticated
from isengard.core.settings import Settings

OPEN_PATHS = frozenset({"/health", "/login", "/logout"})
"""Answered without a token: liveness for load balancers, and the way in."""
SHARE_PREFIX = "/share/"

NOBODY = Actor("nobody", Role.VIEWER)
"""Who asks for an open address."""


class Gate(Protocol):
    """Tells who is behind a request: `OpenDoor` without tokens, `Keyring` with them."""

    def identify(self, headers: Headers, scope: Scope) -> Actor:
        """Whoever it is; raises `Unauthenticated` or `RateLimited`."""
        ...


class AccessGuard:
    """Refuses what may not pass and notes who changed what; wraps `app`."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit or refuse one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            actor = self._admit(scope, Headers(scope=scope))
        except IsengardError as error:
            await _refuse(error, scope, receive, send)
            return
        scope.setdefault("state", {})["actor"] = actor
        await self._app(scope, receive, _noting(scope, send, actor))

    def _admit(self, scope: Scope, headers: Headers) -> Actor:
        check_host(headers.get("host"), self._hosts)
        check_origin(headers)
        if scope["path"] in OPEN_PATHS or scope["path"].startswith(SHARE_PREFIX):
            return NOBODY
        actor = services_of(HTTPConnection(scope)).gate.identify(headers, scope)
        check_rights(actor, _method(scope), scope["path"])
        return actor


def _method(scope: Scope) -> str:
    return str(scope.get("method", "WEBSOCKET"))


def _noting(scope: Scope, send: Send, actor: Actor) -> Send:
    """`send`, with a line in the audit trail for the answer to a request that may change something."""
    if _method(scope) in READING or scope["path"] in OPEN_PATHS:
        return send

    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            _note(scope, actor.name, int(message["status"]))
        await send(message)

    return note


def _note(scope: Scope, name: str, status: int) -> None:
    services_of(HTTPConnection(scope)).audit.record(
        "http",
        actor=name,
        address=address_of(scope),
        allowed=status not in (401, 403, 429),
        method=_method(scope),
        path=scope["path"][:500],
        status=status,
    )


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
    if _method(scope) not in READING or isinstance(error, RateLimited):
        _note(scope, "unknown", status_of(error))
    response: Response = problem_of(error)
    if isinstance(error, Unauthenticated) and _navigates(scope):
        response = to_login(scope["path"], scope["query_string"].decode("latin-1"))
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)


def _navigates(scope: Scope) -> bool:
    """Whether a person's browser wants a page, not a program an answer."""
    accept = Headers(scope=scope).get("accept", "")
    return _method(scope) == "GET" and "text/html" in accept and not scope["path"].startswith("/api/")
