"""Sends files and stored objects to a client: type by our own map, ranges, validators, never a path outside its folder.

The type is never guessed from content, and what a browser could run is never sent as such: only the image types that
Isengard itself writes are shown in place, everything else is a download.
"""

from __future__ import annotations

import os
import re
import stat
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from isengard.api.contents import Content, DiskFile
from isengard.api.errors import problem
from isengard.core.errors import NotFound

_IMAGES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}
_OTHERS = {
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".txt": "text/plain; charset=utf-8",
    ".log": "text/plain; charset=utf-8",
    ".yaml": "text/plain; charset=utf-8",
    ".zip": "application/zip",
}
_BINARY = "application/octet-stream"
_FOREVER = "private, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def content_type(name: str) -> str:
    """The type a file is sent with, by the end of its name."""
    suffix = os.path.splitext(name)[1].lower()
    return _IMAGES.get(suffix) or _OTHERS.get(suffix) or _BINARY


def is_plain(name: str) -> bool:
    """Whether `name` is one segment of a path and nothing else."""
    return name not in ("", ".", "..") and not any(sign in name for sign in "/\\\0")


def within(folder: Path, name: str) -> Path:
    """The regular file `name` directly in `folder`, symbolic links resolved; raises `NotFound` for anything else."""
    missing = NotFound(f"there is no file {name[:200]!r} here", field="filename")
    if not is_plain(name):
        raise missing
    try:
        path = (folder / name).resolve(strict=True)
        inside = path.is_relative_to(folder.resolve(strict=True)) and stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        raise missing from None
    if not inside:
        raise missing
    return path


def send_file(
    request: Request, path: Path, *, media_type: str | None = None, download_as: str | None = None
) -> Response:
    """The response with the file at `path`, which `within` found; see `send_content`."""
    return send_content(request, DiskFile.at(path), media_type=media_type, download_as=download_as)


def send_content(
    request: Request,
    content: Content,
    *,
    media_type: str | None = None,
    download_as: str | None = None,
    made_of: Content | None = None,
) -> Response:
    """The response with `content`: all of it, a range (206), 304 where the client has it, or 416.

    A file that grows meanwhile, such as a journal, is sent as long as it was when the request came.

    Args:
        media_type: Its type where its name does not tell.
        download_as: The name to save it under; its own where left out.
        made_of: What it was made of and is addressed by; itself where left out.
    """
    headers = _headers(content, media_type or content_type(content.name), download_as or content.name)
    if request.query_params.get("v") == (made_of or content).version:
        headers["cache-control"] = _FOREVER
    if _has_it(request, headers["etag"], content.modified):
        return Response(status_code=304, headers=headers)
    try:
        wanted = _wanted_range(request, headers, content.size)
    except ValueError:
        detail = f"the range is not inside the file, which has {content.size} bytes"
        return problem(416, detail, {"content-range": f"bytes */{content.size}"})
    if wanted is None:
        return _Part(content, range(content.size), 200, headers)
    headers["content-range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{content.size}"
    return _Part(content, wanted, 206, headers)


def unchanged(request: Request, version: str, made_of: Content) -> Response | None:
    """The 304 to a client whose tag says that it has `version`, which need not be made then; None to every other."""
    if "if-none-match" not in request.headers or not _has_it(request, f'"{version}"', made_of.modified):
        return None
    lasting = request.query_params.get("v") == made_of.version
    return Response(
        status_code=304, headers={"etag": f'"{version}"', "cache-control": _FOREVER if lasting else _ASK_AGAIN}
    )


def _headers(content: Content, kind: str, name: str) -> dict[str, str]:
    shown = "inline" if kind in _IMAGES.values() else "attachment"
    return {
        "content-type": kind,
        "content-disposition": f"{shown}; filename*=utf-8''{quote(name, safe='')}",
        "etag": f'"{content.version}"',
        "last-modified": formatdate(content.modified, usegmt=True),
        "cache-control": _ASK_AGAIN,
        "accept-ranges": "bytes",
    }


def _has_it(request: Request, etag: str, modified: float) -> bool:
    """Whether the client has this version; its date counts only where it sent no tag."""
    if_none_match = request.headers.get("if-none-match")
    if if_none_match is None:
        return _is_since(request.headers.get("if-modified-since", ""), modified)
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in tags or "*" in tags


def _is_since(moment: str, modified: float) -> bool:
    """Whether `moment` is a date of HTTP's kind, and nothing changed after it."""
    try:
        return int(modified) <= parsedate_to_datetime(moment).timestamp()
    except ValueError:
        return False


def _wanted_range(request: Request, headers: dict[str, str], size: int) -> range | None:
    """The bytes asked for; None for all of them, also when the header makes no sense or names several ranges.

    Raises:
        ValueError: The range lies outside the file.
    """
    if request.headers.get("if-range", headers["etag"]) not in (headers["etag"], headers["last-modified"]):
        return None
    match = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        start, stop = max(0, size - int(match[2])), size
    else:
        start, stop = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
    if start >= stop:
        raise ValueError
    return range(start, stop)


class _Part(Response):
    """Some bytes in a row, sent in pieces."""

    def __init__(self, content: Content, part: range, status_code: int, headers: dict[str, str]) -> None:
        super().__init__(status_code=status_code, headers={**headers, "content-length": str(len(part))})
        self._content = content
        self._part = part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if scope["method"] != "HEAD" and self._part:
            pieces = self._content.pieces(self._part)
            first = await anext(pieces)  # before anything is said: what cannot be read is an error, not a broken answer
            await send(start)
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        else:
            await send(start)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
