"""What a request body may be: its size, and for JSON its depth and its numbers. Reads nothing by itself.

The size is counted as bytes arrive, whatever ``Content-Length`` says. JSON is read by orjson, which takes neither NaN
nor lone surrogates; a depth or a number of values that nobody needs is refused before a model walks into it, and so is
a key that comes twice: two readers of one body must not see two requests. Programs that write NaN into JSON (as
Python's json does) are told which value it was.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isengard.api.errors import problem, problem_of
from isengard.core.errors import InvalidInput, TooLarge, TooSlow

MAX_DEPTH = 64
MAX_VALUES = 20_000
MIB = 1024 * 1024
_UPLOADS = re.compile(r"/api/characters/[^/]+/images")
"""The only addresses that take large bodies; elsewhere one would be spooled to the disk, at the login for anybody."""
_OF_STRANGERS = frozenset({"/login", "/logout"})
_OF_STRANGERS_KB = 64
"""Most of a body that is read before anybody is known: taking a form apart costs time."""


class BodyLimit:
    """Refuses bodies over a limit, a small one for JSON, a large one for uploads, and those that stop. Wraps `app`."""

    def __init__(self, app: ASGIApp, *, body_mb: int, upload_mb: int, timeout_s: float) -> None:
        self._app = app
        self._timeout_s = timeout_s
        self._body_mb = body_mb
        self._upload_mb = upload_mb

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        error, limit = self._limit(scope["path"], headers)
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            await problem_of(error)(scope, receive, send)
            return
        if declared or "transfer-encoding" in headers:
            if headers.get("content-encoding", "identity").lower() != "identity":
                await problem(415, "bodies are taken as they are, without a Content-Encoding")(scope, receive, send)
                return
            receive = _bounded(receive, limit, error, self._timeout_s)
        await self._app(scope, receive, send)

    def _limit(self, path: str, headers: Headers) -> tuple[TooLarge, int]:
        """What is said of a body over the limit, and the limit in bytes."""
        if path in _OF_STRANGERS:
            return TooLarge(f"the body is over the limit of {_OF_STRANGERS_KB} KiB"), _OF_STRANGERS_KB * 1024
        most, setting = self._body_mb, "ISENGARD_MAX_BODY_MB"
        if _UPLOADS.fullmatch(path) and _is_form(headers):
            most, setting = self._upload_mb, "ISENGARD_MAX_UPLOAD_MB"
        return TooLarge(f"the body is over the limit of {most} MiB ({setting})"), most * MIB


def _is_form(headers: Headers) -> bool:
    return headers.get("content-type", "").lower().startswith("multipart/form-data")


def _bounded(receive: Receive, limit: int, error: TooLarge, timeout_s: float) -> Receive:
    """`receive` that raises `error` once more than `limit` bytes came, and `TooSlow` when the rest does not come."""
    taken = 0
    is_whole = False

    async def bounded() -> Message:
        nonlocal taken, is_whole
        if is_whole:  # what is waited for now is that the client goes away
            return await receive()
        try:
            async with asyncio.timeout(timeout_s):
                message = await receive()
        except TimeoutError:
            raise TooSlow(
                f"the body of the request paused for longer than {timeout_s:g} s (ISENGARD_BODY_TIMEOUT_S)"
            ) from None
        taken += len(message.get("body", b""))
        is_whole = not message.get("more_body", False)
        if taken > limit:
            raise error
        return message

    return bounded


class _JsonRequest(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = parse_json(await self.body())
        return self._json


class StrictJsonRoute(APIRoute):
    """A route whose JSON body is read strictly; the class of every route of the API."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, given a request that parses strictly."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_JsonRequest(request.scope, request.receive))

        return handle


def parse_json(body: bytes) -> Any:
    """The value in `body`.

    Raises:
        json.JSONDecodeError: It is not JSON; what FastAPI turns into a validation error.
        InvalidInput: It would be JSON but for a number that JSON does not have; `field` says where.
        TooLarge: It is nested deeper than `MAX_DEPTH`, or holds more than `MAX_VALUES` values.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "depth" in error.msg or "ecursion" in error.msg:
            raise _too_deep() from None
        _refuse_no_numbers(body)
        raise json.JSONDecodeError(error.msg, error.doc, error.pos) from None
    _check_shape(value)
    try:
        json.loads(body, object_pairs_hook=_once_each)
    except RecursionError:  # deep below the first of two equal keys, of which orjson kept the other
        raise _too_deep() from None
    return value


def _refuse_no_numbers(body: bytes) -> None:
    """Raise `InvalidInput` if it is NaN or an infinity that keeps the body from being JSON."""
    try:
        place = _first_no_number(json.loads(body), ())
    except (ValueError, RecursionError):
        return
    if place is not None:
        raise InvalidInput("has to be a finite number, not NaN or infinity", field=".".join(place) or "body")


def _first_no_number(value: Any, place: tuple[str, ...]) -> tuple[str, ...] | None:
    """Where in `value` the first number stands that is not finite; None if all are."""
    if isinstance(value, float) and not math.isfinite(value):
        return place
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = (_first_no_number(child, (*place, str(key))) for key, child in children)
    return next((where for where in found if where is not None), None)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise json.JSONDecodeError(f"the key {twice[:80]!r} comes twice", "", 0)
    return found


def _too_deep() -> TooLarge:
    return TooLarge(f"the body is nested deeper than {MAX_DEPTH} levels")


def _check_shape(value: Any) -> None:
    layer, values = [value], 1
    for _ in range(MAX_DEPTH + 1):
        layer = [
            child
            for node in layer
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        values += len(layer)
        if values > MAX_VALUES:
            raise TooLarge(f"the body holds more than {MAX_VALUES} values")
        if not layer:
            return
    if any(isinstance(node, dict | list) for node in layer):
        raise _too_deep()
