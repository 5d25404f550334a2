"""From a domain error to an HTTP status and ``{"detail": "…"}``: once, here. Nothing else in the API knows both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from isengard.core import errors
from isengard.core.redaction import Redactor

STATUS: dict[type[errors.IsengardError], int] = {
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.TooSlow: 408,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.RateLimited: 429,
    errors.Overloaded: 503,
    errors.Unreachable: 503,
    errors.StorageError: 507,
}
"""The nearest class in an error's ancestry decides; any other `IsengardError` is a 500."""

_SHOWN_MISTAKES = 10


def status_of(error: errors.IsengardError) -> int:
    """The HTTP status of a domain error."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


class Problem(JSONResponse):
    """An error response. What it repeats of the request goes through the redactor of the app that sends it."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__({"detail": detail}, status, dict(headers or {}))
        self._detail = detail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        redactor: Redactor = scope["app"].state.redactor
        masked = redactor.text(self._detail)
        if masked is not self._detail:
            self.body = self.render({"detail": masked})
            self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Problem:
    """An error response."""
    return Problem(status, detail, headers)


def problem_of(error: errors.IsengardError) -> JSONResponse:
    """The response to a domain error."""
    return problem(status_of(error), named(error), headers_of(error))


def headers_of(error: errors.IsengardError) -> dict[str, str]:
    """The headers that go with a domain error."""
    if isinstance(error, errors.Overloaded):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, errors.Unreachable):
        return {"Retry-After": "10"}
    if isinstance(error, errors.Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    return {}


def named(error: errors.IsengardError) -> str:
    """The error's sentence, which begins with the field at fault if the sentence does not name it."""
    if status_of(error) != 422 or error.field is None or error.field in error.detail:
        return error.detail
    for name in (error.field.partition(".")[2], error.field.rpartition(".")[2]):
        if error.detail.startswith(f"{name}:"):
            return error.field + error.detail[len(name) :]
    return f"{error.field}: {error.detail}"


def describe(mistakes: Iterable[Mapping[str, Any]]) -> str:
    """Pydantic's findings as one line, each with its field: ``config.steps: must be …; name: …``."""
    found = [_describe_one(mistake) for mistake in mistakes]
    more = len(found) - _SHOWN_MISTAKES
    return "; ".join(found[:_SHOWN_MISTAKES]) + (f"; and {more} more" if more > 0 else "")


def _describe_one(mistake: Mapping[str, Any]) -> str:
    where = [str(part) for part in mistake["loc"]]
    if where and where[0] in ("body", "query", "path", "header", "cookie") and len(where) > 1:
        where = where[1:]
    message = str(mistake["msg"])
    return f"{'.'.join(where)[:200]}: {message[:1].lower()}{message[1:]}"


async def _on_domain_error(request: Request | WebSocket, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.IsengardError)  # noqa: S101 - registered for this type
    return await _answer(request, problem_of(error))


async def _on_validation_error(request: Request | WebSocket, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError | WebSocketRequestValidationError)  # noqa: S101 - as above
    found = error.errors()
    unreadable = [mistake for mistake in found if mistake["type"] == "json_invalid"]
    if unreadable:
        reason = unreadable[0].get("ctx", {}).get("error", "it ends too early")
        return await _answer(request, problem(400, f"the body is not valid JSON: {reason}"))
    if any(tuple(mistake["loc"]) == ("body",) and isinstance(mistake.get("input"), bytes) for mistake in found):
        # FastAPI parses a body only under a JSON content type; what it leaves as bytes came under another, or none.
        return await _answer(request, problem(415, "the body has to be JSON: send 'Content-Type: application/json'"))
    return await _answer(request, problem(422, describe(found)))


async def _on_http_error(
    methods_at: Callable[[str], set[str]], request: Request | WebSocket, error: Exception
) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    if isinstance(error.__cause__, errors.IsengardError):  # raised while the body was read, wrapped by FastAPI
        return await _answer(request, problem_of(error.__cause__))
    detail, headers = str(error.detail), dict(error.headers or {})
    if error.status_code == 404:
        detail = "there is nothing at this address"
    elif error.status_code == 405:
        detail = f"{request.scope['method']} is not possible at this address"
        if allowed := methods_at(request.scope["path"]):
            headers["Allow"] = ", ".join(sorted(allowed))  # of all routes there: whoever raised it knew but one of them
    return await _answer(request, problem(error.status_code, detail, headers))


async def _answer(request: Request | WebSocket, response: JSONResponse) -> JSONResponse:
    """A WebSocket that was not accepted yet is denied with the response."""
    if isinstance(request, WebSocket):
        await request.send_denial_response(response)
    return response


def install(app: FastAPI, methods_at: Callable[[str], set[str]]) -> None:
    """Have `app` answer errors this way; `methods_at` tells which methods an address takes."""
    app.add_exception_handler(errors.IsengardError, _on_domain_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(WebSocketRequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, partial(_on_http_error, methods_at))
