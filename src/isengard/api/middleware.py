"""What is around every answer: correlation id, security headers, a line in the service log, figures, the last resort.

The outermost layer. An exception that nobody expected ends here: its stack goes to the service log, the client gets a
500 with the correlation id to look it up by.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isengard.api.errors import problem
from isengard.api.request_metrics import Figures
from isengard.core import correlation
from isengard.core.redaction import Redactor

_log = logging.getLogger("isengard.api")

CSP = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"
"""Of everything but the page: what the API answers is data, never a document with rights."""

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")
"""Beside these over TLS: a browser that was here once never asks this host in the clear again."""
_STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")


class RequestMiddleware:
    """Wraps `app`; counts into `figures`."""

    def __init__(self, app: ASGIApp, figures: Figures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer whatever happens inside."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        redactor: Redactor = scope["app"].state.redactor
        name = headers.get(correlation.HEADER)
        given = name if name is None or redactor.text(name) is name else None  # an id goes into every line and header
        asked = (given, headers.get("traceparent"), headers.get("tracestate"))
        with correlation.bind(correlation.accept(*asked)) as bound:
            exchange = _Exchange(scope, send, bound.id)
            try:
                await self._app(scope, receive, exchange.send)
            except Exception:
                _log.exception("%s %s failed unexpectedly", scope.get("method", "WS"), scope["path"])
                await exchange.fail(receive)
            finally:
                exchange.report(self._figures)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send, correlation_id: str) -> None:
        self._scope = scope
        self._send = send
        self._id = correlation_id
        self._began = time.perf_counter()
        self._status = 0

    def send(self, message: Message) -> Awaitable[None]:
        """Pass `message` on, with our headers on the first. A plain function: it is on the streams' hot path."""
        if message["type"] in _STARTS:
            self._status = message.get("status", 101)
            message["headers"] = self._with_ours(list(message.get("headers", ())))
        return self._send(message)

    def _with_ours(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        present = {name.lower() for name, _ in headers}
        ours = (
            (correlation.HEADER.lower().encode(), self._id.encode()),
            (b"content-security-policy", CSP.encode()),
            (b"cache-control", b"no-store"),
            *SECURITY_HEADERS,
            *((STRICT_TRANSPORT,) if self._scope["scheme"] in ("https", "wss") else ()),
        )
        return [*headers, *((name, value) for name, value in ours if name not in present)]

    async def fail(self, receive: Receive) -> None:
        """Answer 500, unless the answer has begun: then the server cuts the connection, which says it as well."""
        if self._status or self._scope["type"] != "http":
            return
        detail = f"something unexpected went wrong here; the service log has it under the correlation id {self._id}"
        await problem(500, detail)(self._scope, receive, self.send)

    def report(self, figures: Figures) -> None:
        """Count the exchange and write it into the service log."""
        took_s = time.perf_counter() - self._began
        route = self._scope.get("route")
        template = getattr(route, "path", None) or "unmatched"
        method = self._scope.get("method", "WEBSOCKET")
        figures.observe(method, template, self._status, took_s)
        _log.log(
            logging.INFO if self._status < 500 else logging.ERROR,
            "%s %s → %d",
            method,
            self._scope["path"],
            self._status,
            extra={
                "event": "http.request",
                "route": template,
                "status": self._status,
                "took_ms": round(took_s * 1e3, 3),
            },
        )
