"""The OpenAPI document. Made from the routes alone, so it is the same on every machine and with every plugin."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from isengard import __version__
from isengard.api.auth.keyring import SESSION_COOKIE
from isengard.api.router import mount
from isengard.api.schemas.common import problems
from isengard.api.schemas.stream import FRAMES

router = APIRouter()
_OPEN = "/health"
"""The one operation that everybody may ask for; `access.OPEN_PATHS` has what is no operation besides."""
_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token that `isengard token` or the first start made.",
    },
    "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description": "Set by the login page."},
}
_REFUSALS = (401, 403, 429)
DESCRIPTION = (
    'Launches LoRA trainings, records what happens in them, shows it live. Errors are `{"detail": "…"}`. '
    "Every answer carries `X-Correlation-ID`; a request may bring its own."
)


def operation_id(route: APIRoute) -> str:
    """The route function's name: short and stable for generated clients."""
    return route.name


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document of the API."""
    app = FastAPI(
        title="Isengard", version=__version__, description=DESCRIPTION, generate_unique_id_function=operation_id
    )
    mount(app)
    return _with_access(_with_problems(_with_frames(app.openapi())))


def _with_frames(openapi: dict[str, Any]) -> dict[str, Any]:
    """`openapi` with the models of the streams' frames, which no JSON route mentions."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in FRAMES], ref_template="#/components/schemas/{model}"
    )
    schemas = openapi["components"]["schemas"]
    for name, schema in definitions["$defs"].items():
        schemas.setdefault(name, schema)
    openapi["components"]["schemas"] = dict(sorted(schemas.items()))
    return openapi


def _with_problems(openapi: dict[str, Any]) -> dict[str, Any]:
    """`openapi` with our one form of error where FastAPI would document its own, and what every body is checked for."""
    for path in openapi["paths"].values():
        for operation in path.values():
            answers = operation["responses"]
            if "HTTPValidationError" in str(answers.get("422")):
                answers["422"] = _described(422)
            if "requestBody" in operation:
                answers.setdefault("413", _described(413))
                if "application/json" in operation["requestBody"]["content"]:
                    answers.setdefault("400", _described(400))
                    answers.setdefault("415", _described(415))
            operation["responses"] = dict(sorted(answers.items()))
    for unused in ("HTTPValidationError", "ValidationError"):
        openapi["components"]["schemas"].pop(unused, None)
    return openapi


def _with_access(openapi: dict[str, Any]) -> dict[str, Any]:
    """`openapi` with how to show who one is, and what is told those who may not. Without tokens nobody is asked."""
    openapi["components"]["securitySchemes"] = _SCHEMES
    openapi["components"]["responses"] = {f"Refused{status}": _described(status) for status in _REFUSALS}
    openapi["security"] = [{"token": []}, {"session": []}, {}]
    for address, path in openapi["paths"].items():
        for operation in path.values():
            if address == _OPEN:
                operation["security"] = []
            for status in (403,) if address == _OPEN else _REFUSALS:
                operation["responses"].setdefault(str(status), {"$ref": f"#/components/responses/Refused{status}"})
            operation["responses"] = dict(sorted(operation["responses"].items()))
    return openapi


def _described(status: int) -> dict[str, Any]:
    described = problems(status)[status]
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    content = {"application/json": {**schema, **described["content"]["application/json"]}}
    return {"description": described["description"], "content": content}


@router.get("/openapi.json", include_in_schema=False)
def get_openapi() -> dict[str, Any]:
    """This document."""
    return document()
