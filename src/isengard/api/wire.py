"""HTTP on a connection, with bounds that uvicorn's parser lacks: what arrives before a route could refuse it.

A request's head (its address and headers, also trailers and the framing of chunks) may have so many bytes and take so
many seconds; a client that sends requests ahead of the answers may have so many waiting. Without these bounds one
connection takes all memory. Knows nothing of routes; what it refuses has the form of the API's other errors.

Timeline of a head: connection or first byte → `timeout_s` runs → its last line ends it, else 408 and the end.
"""

from __future__ import annotations

import asyncio
import http
import re
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from isengard.api.middleware import CSP, SECURITY_HEADERS
from isengard.core import correlation

MAX_WAITING = 64
"""Requests that one connection may have sent ahead of their answers; browsers and client libraries send none."""
_READ = 256 * 1024
"""What the event loop hands over at most at once."""
_AUTHORITY = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")


class _Refused(Exception):
    """The request is not read any further."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class BoundedHttp(HttpToolsProtocol):
    """One connection; a subclass made by `bounded_http` sets the bounds.

    Attributes:
        max_head: Bytes of a request's head.
        timeout_s: Seconds for it to arrive.
    """

    max_head: int
    timeout_s: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = 0
        self._without_progress = 0
        self._in_head = True
        self._refusal: _Refused | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse `data`, within the bounds."""
        if self.transport.is_closing():
            return
        self._without_progress += len(data)
        super().data_received(data)
        if self.transport.is_closing() or self.parser is None:
            return
        if self._without_progress > self.max_head + _READ:
            self._refusal = self._too_large()
            self.send_400_response("")
        elif self._in_head or self._is_idle():
            self._expect_head()

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        self._head = self._without_progress = 0
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        """A piece of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; after the body a trailer, which nothing here reads."""
        self._count(len(name) + len(value))
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: hand the request to the application."""
        self._check_address()
        if len(self.pipeline) >= MAX_WAITING:
            self._refuse(429, f"more than {MAX_WAITING} requests were sent ahead of their answers")
        self._in_head = False
        self._without_progress = 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body, whose size is the application's affair."""
        self._without_progress = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong and close; only close where an answer is under way, which this would cut in two."""
        refusal = self._refusal or _Refused(400, "this is no valid HTTP request")
        self._stop_waiting()
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_answer(refusal))
        self.transport.close()

    def _check_address(self) -> None:
        """Refuse several hosts, and ``GET http://elsewhere/`` with our own: others may take the other one."""
        hosts = [value.lower() for name, value in self.headers if name == b"host"]
        if len(hosts) > 1:
            self._refuse(400, "the request has several Host headers")
        match = _AUTHORITY.match(self.url)
        if match is not None and [match[1].lower()] != hosts:
            self._refuse(400, "the address of the request names another host than its Host header")

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > self.max_head:
            self._refusal = self._too_large()
            raise self._refusal

    def _too_large(self) -> _Refused:
        limit = f"{self.max_head // 1024} KiB (ISENGARD_MAX_HEADER_KB)"
        return _Refused(431, f"address and headers of the request are over the limit of {limit}")

    def _refuse(self, status: int, detail: str) -> None:
        self._refusal = _Refused(status, detail)
        raise self._refusal  # the parser ends with it, and uvicorn calls `send_400_response`

    def _is_idle(self) -> bool:
        """Whether something arrived between two requests that is no request yet."""
        return self.cycle is not None and self.cycle.response_complete and self.timeout_keep_alive_task is None

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.timeout_s, self._on_deadline)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _on_deadline(self) -> None:
        self._deadline = None
        self._refusal = _Refused(
            408, f"the request did not arrive within {self.timeout_s:g} s (ISENGARD_HEADER_TIMEOUT_S)"
        )
        self.send_400_response("")


def bounded_http(max_head_kb: int, timeout_s: float) -> type[BoundedHttp]:
    """The protocol with these bounds, as uvicorn takes it."""
    return type("Http", (BoundedHttp,), {"max_head": max_head_kb * 1024, "timeout_s": timeout_s})


def _answer(refusal: _Refused) -> bytes:
    body = orjson.dumps({"detail": refusal.detail})
    headers = (
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        (b"content-security-policy", CSP.encode()),
        (b"cache-control", b"no-store"),
        (correlation.HEADER.lower().encode(), correlation.new_id().encode()),
        *SECURITY_HEADERS,
    )
    status = b"HTTP/1.1 %d %s\r\n" % (refusal.status, http.HTTPStatus(refusal.status).phrase.encode())
    return status + b"".join(b"%s: %s\r\n" % pair for pair in headers) + b"\r\n" + body
