"""Takes a multipart upload apart: each file spooled to disk as it arrives, at most a megabyte of it in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from isengard.api.services import ServicesDep
from isengard.core.errors import InvalidInput
from isengard.datasets.uploads import IncomingFile

FIELD = "files"
_MAX_FIELDS = 8

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "Images, captions as `.txt` of the same names, or one zip of both.",
                        }
                    },
                }
            }
        },
    }
}
"""How the body stands in the OpenAPI document."""


async def _incoming(request: Request, services: ServicesDep) -> AsyncIterator[list[IncomingFile]]:
    """The files of the upload; their spools are closed when the answer is made.

    Raises:
        InvalidInput: The body is no multipart form, or holds too many files.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise InvalidInput("send the images as multipart/form-data", field=FIELD)
    try:
        form = await request.form(max_files=services.settings.max_upload_files, max_fields=_MAX_FIELDS)
    except HTTPException as error:
        raise InvalidInput(f"the upload cannot be read: {error.detail}", field=FIELD) from error
    try:
        yield [_file(value) for name, value in form.multi_items() if name == FIELD]
    finally:
        await form.close()


def _file(value: UploadFile | str) -> IncomingFile:
    if isinstance(value, str):
        raise InvalidInput("files holds text where a file is expected", field=FIELD)
    return IncomingFile(value.filename or "", value.file)


IncomingFiles = Annotated[list[IncomingFile], Depends(_incoming)]
