"""Who may talk to this server, decided before any route is: by name, by origin, by token.

A page on another site must not reach it through the visitor's browser, on any method, stream or socket: the ``Host``
must be one of ours (DNS rebinding) and an ``Origin`` must be the server itself (cross-site requests; ``null`` is not).
Where the server has tokens, everything but liveness and the login wants one; roles and share links narrow it.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from isengard.api.auth.audit import UNKNOWN
from isengard.api.auth.keyring import address_of
from isengard.api.auth.pages import to_login
from isengard.api.auth.rights import READING, check_rights
from isengard.api.errors import problem_of, status_of
from isengard.api.same_origin import OwnHosts, check_host, check_origin
from isengard.api.services import services_of
from isengard.core.access.roles import Actor, Role
from isengard.core.errors import IsengardError, RateLimited, Unauthenticated

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

    def stands(self, headers: Headers, actor: Actor) -> bool:
        """Whether a request that went on would still be `actor`'s: nothing was taken back, nothing is over."""
        ...


class AccessGuard:
    """Refuses what may not pass and notes who changed what; wraps `app`."""

    def __init__(self, app: ASGIApp, hosts: OwnHosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit or refuse one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        try:
            actor = self._admit(scope, Headers(scope=scope))
        except IsengardError as error:
            await _refuse(error, scope, receive, send)
            return
        scope["state"]["actor"] = actor
        await self._app(scope, receive, _noting(scope, send, actor))

    def _admit(self, scope: Scope, headers: Headers) -> Actor:
        check_host(headers, self._hosts)
        check_origin(scope, headers)
        if scope["path"] in OPEN_PATHS or scope["path"].startswith(SHARE_PREFIX):
            return NOBODY
        gate = services_of(HTTPConnection(scope)).gate
        actor = gate.identify(headers, scope)
        check_rights(actor, _method(scope), scope["path"])
        scope["state"]["stands"] = partial(gate.stands, headers, actor)
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


async def _refuse(error: IsengardError, scope: Scope, receive: Receive, send: Send) -> None:
    if _method(scope) not in READING or isinstance(error, RateLimited):
        _note(scope, UNKNOWN, status_of(error))
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
