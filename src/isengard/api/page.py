"""Serves the page: the built files below ``isengard/_web``. Reads them once at start; serves nothing else from disk.

Files under ``assets/`` carry a hash in their names and may be kept for ever. Any other address that a browser navigates
to, and that is not the API's, is answered with ``index.html``, whose own router takes it from there; everything that is
not a navigation gets the API's 404, so that a mistyped request never receives a page. ``__CSP_NONCE__`` in
``index.html`` is replaced by a fresh nonce for each answer, for libraries that insert style elements, and
``__ACTOR__`` by who the reader is, so that the page does not offer what would be refused.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import json
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from isengard.core.access.roles import LOCAL, Actor

NONCE, ACTOR = b"__CSP_NONCE__", b"__ACTOR__"
API_PREFIXES = ("/api/", "/health", "/ready", "/info", "/metrics")

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
}
_NOT_BUILT = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Isengard</title>
<h1>Isengard is running</h1>
<p>Its page was not built into this installation. In a checkout, <code>make web</code> builds it; it needs Node.</p>
<p>The API is complete without it: <a href="/info">/info</a>, <a href="/api/training">/api/training</a>,
<a href="/openapi.json">/openapi.json</a>.</p></html>
"""


def policy(nonce: str) -> str:
    """The page's Content-Security-Policy: everything from here, nothing inline, nothing framed."""
    return (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
        f"style-src 'self' 'nonce-{nonce}'; manifest-src 'self'; worker-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    )


@dataclass(frozen=True)
class Asset:
    """One built file."""

    body: bytes
    media_type: str
    etag: str
    is_hashed: bool

    @cached_property
    def packed(self) -> bytes | None:
        """The file as gzip, made when it is first asked for; None where that saves nothing."""
        small = gzip.compress(self.body, mtime=0)
        return small if len(small) < 0.9 * len(self.body) else None


def load(folder: Path) -> dict[str, Asset]:
    """The built files by their address below ``/``; none when the page was not built."""
    found: dict[str, Asset] = {}
    for path in sorted(folder.rglob("*")) if (folder / "index.html").is_file() else ():
        kind = _TYPES.get(path.suffix.lower())
        if kind is not None and path.is_file() and not path.is_symlink():
            name = path.relative_to(folder).as_posix()
            body = path.read_bytes()
            found[f"/{name}"] = Asset(body, kind, f'"{_digest(body)}"', name.startswith("assets/"))
    return found


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]


class Page:
    """An ASGI application for everything that no route took.

    Args:
        folder: Where the built files are, if they are.
    """

    def __init__(self, folder: Path) -> None:
        self._assets = load(folder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a file, the page, or 404."""
        if scope["type"] != "http":
            raise HTTPException(404)
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        path, headers = scope["path"], Headers(scope=scope)
        asset = self._assets.get(path)
        asks_for_page = "text/html" in headers.get("accept", "") or path == "/"  # nothing else lies at the root
        is_navigation = asks_for_page and not path.startswith(API_PREFIXES)
        if asset is None and not is_navigation:
            raise HTTPException(404)
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        if asset is None or path == "/index.html":
            return self._index(scope.get("state", {}).get("actor", LOCAL))
        return self._asset(asset, headers)

    def _index(self, actor: Actor) -> Response:
        index = self._assets.get("/index.html")
        nonce = secrets.token_urlsafe(16)
        told = html.escape(json.dumps({"name": actor.name, "role": actor.role, "job_id": actor.job_id}))
        body = index.body.replace(NONCE, nonce.encode()).replace(ACTOR, told.encode()) if index else _NOT_BUILT
        return Response(
            body,
            media_type=_TYPES[".html"],
            headers={"content-security-policy": policy(nonce), "cache-control": "private, no-cache"},
        )

    def _asset(self, asset: Asset, headers: Headers) -> Response:
        caching = "public, max-age=31536000, immutable" if asset.is_hashed else "no-cache"
        own = {
            "etag": asset.etag,
            "cache-control": caching,
            "content-security-policy": policy("none"),
            "vary": "Accept-Encoding",
        }
        if asset.etag in headers.get("if-none-match", ""):
            return Response(status_code=304, headers=own)
        if asset.packed is None or not _takes_gzip(headers.get("accept-encoding", "")):
            return Response(asset.body, media_type=asset.media_type, headers=own)
        return Response(asset.packed, media_type=asset.media_type, headers={**own, "content-encoding": "gzip"})


def _takes_gzip(accept_encoding: str) -> bool:
    offers = [offer.replace(" ", "").lower() for offer in accept_encoding.split(",")]
    return any(offer.split(";")[0] == "gzip" and not offer.endswith((";q=0", ";q=0.0")) for offer in offers)
