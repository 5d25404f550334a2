"""The page: what is served of it, with which rights, and what is never answered with it."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from isengard.api.page import Page

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
INDEX = (
    b'<!doctype html><meta name="csp-nonce" content="__CSP_NONCE__">'
    b'<meta name="isengard-actor" content="__ACTOR__"><div id="root"></div>'
)


def client_of(folder: Path) -> httpx.AsyncClient:
    app = Starlette()
    app.router.default = Page(folder)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(INDEX)
    (tmp_path / "assets" / "index-4f2a.js").write_bytes(b"export const a = 1;\n" * 500)
    (tmp_path / "favicon.svg").write_bytes(b"<svg/>")
    (tmp_path / "assets" / "source.map").write_bytes(b"{}")
    (tmp_path / "secret.js").symlink_to("/etc/hostname")
    return tmp_path


async def test_navigations_get_the_page_with_a_fresh_nonce(built: Path) -> None:
    async with client_of(built) as client:
        answers = [await client.get(path, headers=BROWSER) for path in ("/", "/jobs/train-1?tab=logs")]
    nonces = set()
    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "private, no-cache", "it says who the reader is"
        policy = answer.headers["content-security-policy"]
        nonce = policy.partition("'nonce-")[2].partition("'")[0]
        assert f'content="{nonce}"'.encode() in answer.content
        assert "unsafe" not in policy
        nonces.add(nonce)
    assert len(nonces) == 2


async def test_the_page_is_told_who_reads_it(built: Path) -> None:
    async with client_of(built) as client:
        answer = await client.get("/", headers=BROWSER)
    assert b'content="{&quot;name&quot;: &quot;local&quot;, &quot;role&quot;: &quot;operator&quot;' in answer.content


async def test_hashed_files_are_kept_for_ever_and_others_asked_for_again(built: Path) -> None:
    async with client_of(built) as client:
        script = await client.get("/assets/index-4f2a.js")
        icon = await client.get("/favicon.svg")
        again = await client.get("/favicon.svg", headers={"If-None-Match": icon.headers["etag"]})
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in script.headers["cache-control"]
    assert icon.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


async def test_text_is_packed_for_those_who_can_unpack_it(built: Path) -> None:
    async with client_of(built) as client:
        packed = await client.get("/assets/index-4f2a.js", headers={"Accept-Encoding": "br, gzip"})
        plain = await client.get("/assets/index-4f2a.js", headers={"Accept-Encoding": "identity"})
        refused = await client.get("/assets/index-4f2a.js", headers={"Accept-Encoding": "gzip;q=0"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 5
    assert packed.content == plain.content == refused.content
    assert packed.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in plain.headers
    assert gzip  # what httpx unpacks with


@pytest.mark.parametrize("path", ["/api/nothing", "/health/x", "/openapi.json.map"])
async def test_the_api_is_never_answered_with_the_page(built: Path, path: str) -> None:
    async with client_of(built) as client:
        browser = await client.get(path, headers=BROWSER) if path.startswith("/api/") else None
        program = await client.get(path)
    assert browser is None or browser.status_code == 404
    assert program.status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/secret.js", "/assets/source.map", "/../pyproject.toml", "/assets/../../x", "/%2e%2e/x", "/assets/", "/x%00"],
)
async def test_only_built_files_are_served(built: Path, path: str) -> None:
    async with client_of(built) as client:
        assert (await client.get(path)).status_code == 404


async def test_the_page_takes_no_other_methods(built: Path) -> None:
    async with client_of(built) as client:
        answer = await client.post("/", headers=BROWSER)
        head = await client.head("/", headers=BROWSER)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert head.status_code == 200


async def test_an_installation_without_the_page_says_how_to_build_it(tmp_path: Path) -> None:
    async with client_of(tmp_path) as client:
        answer = await client.get("/", headers=BROWSER)
    assert answer.status_code == 200
    assert b"make web" in answer.content
