"""Sends a file of ours to a client: type by our own map, ranges, validators, and never a path outside its folder.

The type is never guessed from content, and what a browser could run is never sent as such: only the image types that
Isengard itself writes are shown in place, everything else is a download.
"""

from __future__ import annotations

import os
import re
import stat
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote

import anyio
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from isengard.api.errors import problem
from isengard.core.errors import NotFound, StorageError

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
_PIECE = 256 * 1024


def content_type(name: str) -> str:
    """The type a file is sent with, by the end of its name."""
    suffix = os.path.splitext(name)[1].lower()
    return _IMAGES.get(suffix) or _OTHERS.get(suffix) or _BINARY


def version(found: os.stat_result) -> str:
    """A short text that changes when the file does; a URL that carries it as ``v`` may be cached for ever."""
    return f"{found.st_mtime_ns:x}-{found.st_size:x}"


def within(folder: Path, name: str) -> Path:
    """The regular file `name` directly in `folder`, symbolic links resolved; raises `NotFound` for anything else."""
    missing = NotFound(f"there is no file {name[:200]!r} here", field="filename")
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\x00" in name:
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
    """The response with the file at `path`: all of it, a range (206), 304 where the client has it, or 416.

    A file that grows meanwhile, such as a journal, is sent as long as it was when the request came.

    Args:
        path: A file that exists; `within` found it.
        media_type: Its type where its name does not tell.
        download_as: The name to save it under; its own where left out.
    """
    try:
        found = path.stat()
    except OSError:
        raise NotFound(f"there is no file {path.name!r} here", field="filename") from None
    headers = _headers(found, media_type or content_type(path.name), download_as or path.name)
    if request.query_params.get("v") == version(found):
        headers["cache-control"] = _FOREVER
    if _has_it(request.headers.get("if-none-match"), headers["etag"]):
        return Response(status_code=304, headers=headers)
    try:
        wanted = _wanted_range(request, headers, found.st_size)
    except ValueError:
        detail = f"the range is not inside the file, which has {found.st_size} bytes"
        return problem(416, detail, {"content-range": f"bytes */{found.st_size}"})
    if wanted is None:
        return _Part(path, range(found.st_size), 200, headers)
    headers["content-range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{found.st_size}"
    return _Part(path, wanted, 206, headers)


def _headers(found: os.stat_result, kind: str, name: str) -> dict[str, str]:
    shown = "inline" if kind in _IMAGES.values() else "attachment"
    return {
        "content-type": kind,
        "content-disposition": f"{shown}; filename*=utf-8''{quote(name, safe='')}",
        "etag": f'"{version(found)}"',
        "last-modified": formatdate(found.st_mtime, usegmt=True),
        "cache-control": _ASK_AGAIN,
        "accept-ranges": "bytes",
    }


def _has_it(if_none_match: str | None, etag: str) -> bool:
    if if_none_match is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in tags or "*" in tags


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
    """Some bytes of a file in a row, read in pieces."""

    def __init__(self, path: Path, part: range, status_code: int, headers: dict[str, str]) -> None:
        super().__init__(status_code=status_code, headers={**headers, "content-length": str(len(part))})
        self._path = path
        self._part = part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with await anyio.open_file(self._path, "rb") as file:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            left = 0 if scope["method"] == "HEAD" else len(self._part)
            await file.seek(self._part.start)
            while left:
                piece = await file.read(min(_PIECE, left))
                if not piece:
                    raise StorageError(f"{self._path.name} became shorter while it was being sent")
                left -= len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
            if not self._part or scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b"", "more_body": False})
