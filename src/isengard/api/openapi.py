"""The OpenAPI document. Made from the routes alone, so it is the same on every machine and with every plugin."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from isengard import __version__
from isengard.api.router import api_router
from isengard.api.schemas.stream import FRAMES

router = APIRouter()
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
    app.include_router(api_router())
    return _with_problems(_with_frames(app.openapi()))


def _with_frames(openapi: dict[str, Any]) -> dict[str, Any]:
    """`openapi` with the models of the streams' frames, which no JSON route mentions."""
    _, definitions = models_json_schema(
        [(model, "serialization") for model in FRAMES], ref_template="#/components/schemas/{model}"
    )
    schemas = openapi["components"]["schemas"]
    for name, schema in definitions["$defs"].items():
        schemas.setdefault(name, schema)
    openapi["components"]["schemas"] = dict(sorted(schemas.items()))
    return openapi


def _with_problems(openapi: dict[str, Any]) -> dict[str, Any]:
    """`openapi` with our one form of error where FastAPI would document its own."""
    for path in openapi["paths"].values():
        for operation in path.values():
            refused = operation["responses"].get("422")
            if refused and "HTTPValidationError" in str(refused):
                operation["responses"]["422"] = {
                    "description": "A value is not acceptable; the detail names it.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
    for unused in ("HTTPValidationError", "ValidationError"):
        openapi["components"]["schemas"].pop(unused, None)
    return openapi


@router.get("/openapi.json", include_in_schema=False)
def get_openapi() -> dict[str, Any]:
    """This document."""
    return document()
