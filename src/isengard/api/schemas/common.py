"""Models and response documentation that every route shares."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Answer(BaseModel):
    """Base of everything the API answers: every field is always there, an unknown one is null."""

    model_config = ConfigDict(from_attributes=True, json_schema_serialization_defaults_required=True)


class Request(BaseModel):
    """Base of everything the API takes, to the letter of its schema.

    An unknown field is refused by name, 0 is not false and "5" not 5, NaN and infinities are no numbers.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def _written_out(given: object) -> object:
    if isinstance(given, str) and not given[4:5] == "-":
        raise ValueError("must be a date and time, such as 2026-01-02T03:04:05Z")
    return given


Moment = Annotated[datetime, BeforeValidator(_written_out)]
"""A moment in a query, as RFC 3339 writes it; by itself pydantic takes a number for seconds since 1970."""


class Problem(Answer):
    """An error: one sentence for a person that names what is at fault."""

    detail: str = Field(examples=["no job has the id 'train-0123456789ab'"])


_REASONS = {
    400: ("The request cannot be read.", "the body is not valid JSON: unexpected end of data"),
    401: ("A token is required.", "this server needs a token: send it as 'Authorization: Bearer …'"),
    403: ("Refused: not from here.", "the Host header 'evil.example' is not one that this server answers to"),
    404: ("No such thing.", "no job has the id 'train-0123456789ab'"),
    409: ("The present state does not allow it.", "job train-0123456789ab is completed; it cannot become cancelling"),
    413: ("Over a size limit.", "the body is over the limit of 1 MiB (ISENGARD_MAX_BODY_MB)"),
    415: ("Not JSON by its content type.", "the body has to be JSON: send 'Content-Type: application/json'"),
    416: ("The range lies outside the file.", "the range is outside the file, which has 2048 bytes"),
    422: (
        "A value is not acceptable; the detail names it.",
        "config.steps: input should be greater than or equal to 1",
    ),
    429: (
        "Too many failed logins from this address; Retry-After says when to come back.",
        "too many failed logins from here; try again in 30 s",
    ),
    503: ("A limit is reached; Retry-After says when to come back.", "all 2000 streams of this server are in use"),
    507: ("The disk refused.", "the upload could not be stored: no space left on device"),
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of the errors a route answers with, each with an example."""
    return {
        status: {
            "model": Problem,
            "description": _REASONS[status][0],
            "content": {"application/json": {"example": {"detail": _REASONS[status][1]}}},
        }
        for status in statuses
    }
