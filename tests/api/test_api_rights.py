"""Every route there is, asked for by everybody there is, on a server that is bound to all addresses.

The routes come from the application itself: one that is added without a rule here fails, whatever the rule would be.
"""

from __future__ import annotations

import base64
import http.client
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from starlette.routing import BaseRoute

from isengard.api.app import create_app
from isengard.api.auth.keyring import SESSION_COOKIE, SHARE_COOKIE
from isengard.core.access.roles import Role
from isengard.core.access.tokens import TokenFile
from isengard.core.paths import DataDir
from isengard.core.settings import Settings
from standins.api_server import PATIENCE_S, ApiServer, api_server, make_character, png

SOCKET = "WEBSOCKET"
OPEN, LOOK, LOOK_AT_ONE, CHANGE = "everybody", "viewers", "viewers, and share links to that job", "operators"

RULES = {
    OPEN: ("GET /health", "HEAD /health", "GET /login", "POST /login", "POST /logout", "GET /share/{pass_text}"),
    LOOK: (
        *("GET /ready", "HEAD /ready", "GET /info", "GET /metrics", "GET /openapi.json", "GET /api/stream"),
        *("GET /api/characters", "GET /api/characters/{character_id}", "GET /api/characters/{character_id}/images"),
        *("GET /api/characters/{character_id}/images/{filename}", "GET /api/training", "GET /api/queue"),
        "GET /api/jobs/{job_id}/share",
    ),
    LOOK_AT_ONE: (
        *("GET /api/whoami", "GET /api/training/{job_id}", "GET /api/jobs/{job_id}/logs"),
        *("GET /api/jobs/{job_id}/logs/view", "GET /api/jobs/{job_id}/logs/locate", "GET /api/jobs/{job_id}/stream"),
        *("WEBSOCKET /api/jobs/{job_id}/ws", "GET /api/jobs/{job_id}/metrics", "GET /api/jobs/{job_id}/summary"),
        *("GET /api/jobs/{job_id}/stages", "GET /api/jobs/{job_id}/trace", "GET /api/jobs/{job_id}/debug-bundle"),
        "GET /api/jobs/{job_id}/artifacts",
        *(f"{method} /api/jobs/{{job_id}}/artifacts/samples/{{filename}}" for method in ("GET", "HEAD")),
        *(f"{method} /api/jobs/{{job_id}}/artifacts/checkpoints/{{filename}}" for method in ("GET", "HEAD")),
        *(f"{method} /api/jobs/{{job_id}}/artifacts/model" for method in ("GET", "HEAD")),
    ),
    CHANGE: (
        *("POST /api/demo", "POST /api/jobs/{job_id}/share", "DELETE /api/jobs/{job_id}/share", "POST /api/characters"),
        *("PATCH /api/characters/{character_id}", "DELETE /api/characters/{character_id}", "POST /api/training"),
        *("POST /api/characters/{character_id}/check", "POST /api/characters/{character_id}/images"),
        "DELETE /api/characters/{character_id}/images/{filename}",
        "PUT /api/characters/{character_id}/images/{filename}/caption",
        *("POST /api/training/preflight", "POST /api/training/{job_id}/cancel", "POST /api/training/{job_id}/resume"),
        *("DELETE /api/training/{job_id}", "PATCH /api/training/{job_id}", "PATCH /api/queue"),
        *("POST /api/jobs/{job_id}/requests", "PUT /api/jobs/{job_id}/artifacts/checkpoints/{filename}/keep"),
        "DELETE /api/jobs/{job_id}/artifacts/checkpoints/{filename}/keep",
    ),
}
RULE_OF = {route: who for who, routes in RULES.items() for route in routes}


def routes_of_the_application() -> list[str]:
    """``METHOD /template`` of every route, those beside the document too."""
    return sorted(_flat(create_app(Settings(data_dir=Path("nowhere"))).routes))


def _flat(routes: Iterable[BaseRoute]) -> Iterator[str]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _flat(inner.routes)
        else:
            path: str = route.path  # type: ignore[attr-defined]  # a mount has one, too
            yield from (f"{method} {path}" for method in getattr(route, "methods", None) or (SOCKET,))


ROUTES = routes_of_the_application()


class Client(NamedTuple):
    """One who asks: nobody, or the holder of a token, a session or a share link."""

    headers: dict[str, str]


@dataclass
class Guarded:
    """A server that asks for tokens, two jobs, and everybody who may come."""

    server: ApiServer
    job: str
    other: str
    character: str
    nobody: Client
    viewer: Client
    viewing_session: Client
    operator: Client
    guest: Client

    def status(self, who: Client, route: str, job: str, more: dict[str, str] | None = None) -> int:
        """What `who` is answered at `route`; of streams only the head is waited for."""
        method, _, template = route.partition(" ")
        path = template.replace("{job_id}", job).replace("{character_id}", self.character)
        path = re.sub(r"\{[^}]+\}", "missing.png", path)
        headers = {"Host": f"127.0.0.1:{self.server.port}", **who.headers, **(more or {})}
        if method == SOCKET:
            headers |= {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
            headers |= {"Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode()}
        with asked(self.server, method.replace(SOCKET, "GET"), path, headers) as answer:
            return answer.status


@contextmanager
def asked(server: ApiServer, method: str, target: str, headers: dict[str, str]) -> Iterator[http.client.HTTPResponse]:
    """The answer to a request line and headers that a client of HTTP or WebSockets might not send; its head is read."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        yield connection.getresponse()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("rights") / "data"
    data = DataDir(folder)
    data.prepare()
    tokens = TokenFile(data)
    given = {name: tokens.create(name, role) for name, role in (("boss", Role.OPERATOR), ("guest", Role.VIEWER))}
    bearer = {name: {"Authorization": f"Bearer {token}"} for name, token in given.items()}
    with api_server(folder, host="0.0.0.0") as server, server.client(headers=bearer["boss"]) as client:
        character = make_character(client)["id"]
        body = {"character_id": character, "trainer": "mock"}
        job, other = (client.post("/api/training", json=body).json()["id"] for _ in range(2))
        with server.client() as browser:
            browser.post("/login", data={"token": given["guest"]})
            session = browser.cookies[SESSION_COOKIE]
            browser.get(client.post(f"/api/jobs/{job}/share").json()["url"])
            shared = browser.cookies[SHARE_COOKIE]
        yield Guarded(
            server,
            job,
            other,
            character,
            nobody=Client({}),
            viewer=Client(bearer["guest"]),
            viewing_session=Client({"Cookie": f"{SESSION_COOKIE}={session}"}),
            operator=Client(bearer["boss"]),
            guest=Client({"Cookie": f"{SHARE_COOKIE}={shared}"}),
        )


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    assert set(ROUTES) == set(RULE_OF)
    assert len(RULE_OF) == sum(map(len, RULES.values()))


def test_every_operation_of_the_document_is_among_them(guarded: Guarded) -> None:
    with guarded.server.client(headers=guarded.operator.headers) as client:
        paths = client.get("/openapi.json").json()["paths"]
    told = {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}
    assert told <= set(ROUTES)
    beside = {"GET /login", "POST /login", "POST /logout", "GET /share/{pass_text}", "GET /openapi.json"}
    assert {route for route in ROUTES if not route.startswith(("HEAD", SOCKET))} - told == beside


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_gets_what_is_not_everybodys(guarded: Guarded, route: str) -> None:
    status = guarded.status(guarded.nobody, route, guarded.job)
    assert (status == 401) == (RULE_OF[route] != OPEN), status


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("by", ["viewer", "viewing_session"])
def test_a_viewer_looks_and_changes_nothing(guarded: Guarded, route: str, by: str) -> None:
    if (route, by) == ("POST /logout", "viewing_session"):
        return  # it may, and would be over for the tests that follow
    status = guarded.status(getattr(guarded, by), route, guarded.job)
    assert status not in (401, 500)
    assert (status == 403) == (RULE_OF[route] == CHANGE), status


@pytest.mark.parametrize("route", ROUTES)
def test_a_share_link_shows_one_job(guarded: Guarded, route: str) -> None:
    own = guarded.status(guarded.guest, route, guarded.job)
    assert own not in (401, 500)
    assert (own == 403) == (RULE_OF[route] in (LOOK, CHANGE)), own
    if "{job_id}" in route:
        assert guarded.status(guarded.guest, route, guarded.other) == 403


def test_a_small_sample_is_for_those_who_may_see_the_sample(guarded: Guarded) -> None:
    for job in (guarded.job, guarded.other):
        (guarded.server.settings.paths.job(job).samples / "a.png").write_bytes(png(300, 300))
    route = "GET /api/jobs/{job_id}/artifacts/samples/a.png?width=128"
    for who, own, other in ((guarded.nobody, 401, 401), (guarded.guest, 200, 403), (guarded.viewer, 200, 200)):
        assert guarded.status(who, route, guarded.job) == own
        assert guarded.status(who, route, guarded.other) == other


@pytest.mark.parametrize("route", ROUTES)
def test_an_operator_may_ask_for_everything(guarded: Guarded, route: str) -> None:
    job = guarded.job if RULE_OF[route] != CHANGE else "train-000000000000"
    missing = Guarded(**{**vars(guarded), "character": "char-000000000000"}) if RULE_OF[route] == CHANGE else guarded
    assert missing.status(guarded.operator, route, job) not in (401, 403, 405, 500)


FOREIGN: dict[str, dict[str, str]] = {
    "origin": {"Origin": "http://evil.example"},
    "no origin to speak of": {"Origin": "null"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "host": {"Host": "evil.example"},
    "host that begins like ours": {"Host": "127.0.0.1.evil.example"},
    "unspecified host": {"Host": "0.0.0.0"},
    "the browser says so": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("how", FOREIGN)
def test_no_other_sites_page_reaches_any_route(guarded: Guarded, route: str, how: str) -> None:
    """With an operator's session behind it and without: a cookie is what a browser would send along."""
    for who in (guarded.operator, guarded.nobody):
        assert guarded.status(who, route, guarded.job, FOREIGN[how]) == 403


PAGES = ("/", "/index.html", "/jobs/JOB", "/characters", "/favicon.svg", "/assets/x.js", "/docs", "/redoc", "/nowhere")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_the_page_and_its_files_ask_as_well(guarded: Guarded, path: str, accept: str) -> None:
    address = path.replace("JOB", guarded.job)
    with guarded.server.client() as client:
        answer = client.get(address, headers={"Accept": accept})
        assert answer.status_code == (303 if accept == "text/html" else 401)
        assert guarded.job not in answer.text
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
            assert client.request(method, address, headers={"Accept": accept}).status_code in (303, 401)
    with guarded.server.client(headers=guarded.viewer.headers) as client:
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
            assert client.request(method, address).status_code == 403


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "X")


@pytest.mark.parametrize("template", sorted({route.partition(" ")[2] for route in ROUTES}))
def test_no_method_gets_round_the_rules(guarded: Guarded, template: str) -> None:
    for method in METHODS:
        route = f"{method} {template}"
        if RULE_OF.get(route) == OPEN or f"{SOCKET} {template}" in RULE_OF:
            continue
        is_open = template in ("/health", "/login", "/logout", "/share/{pass_text}")
        nobody = guarded.status(guarded.nobody, route, guarded.job)
        assert nobody in ((400, 404, 405) if is_open else (400, 401)), (method, nobody)
        if method not in ("GET", "HEAD", "OPTIONS") and not is_open:
            assert guarded.status(guarded.viewer, route, guarded.job) in (400, 403), method


SPELLINGS = (
    *("//api/training", "/API/training", "/api/training/", "/api//training", "/%61pi/training", "/api/%74raining"),
    *("/api%2ftraining", "/./api/training", "/x/../api/training", "/health/../api/training", "/login/../api/training"),
    *(
        "/health%2f..%2fapi/training",
        "/share/../api/training",
        "/share/%2e%2e/api/training",
        "/share/..%2fapi/training",
    ),
    *("/health;/api/training", "/login;x=/api/training", "/health%00/api/training", "/health?/api/training/"),
    *(
        "/api/training#/health",
        "/api/training?x=/login",
        "/api/training%23/health",
        "/%2e/api/training",
        "/\\api\\training",
    ),
    *("/health/api/training", "/health.json/api/training", "/share//api/training", "/login%0d%0a/api/training"),
    *("http://localhost/api/training", "/%252e%252e/api/training", "/share/%5c..%5capi/training", "*"),
)


@pytest.mark.parametrize("target", SPELLINGS)
def test_no_spelling_of_an_address_gets_round_the_door(guarded: Guarded, target: str) -> None:
    for headers in ({}, guarded.guest.headers):
        with asked(guarded.server, "GET", target, {"Host": "localhost", "Accept": "*/*", **headers}) as answer:
            status, body = answer.status, answer.read()
        assert status in ((200,) if target.startswith("/health?") else (400, 401, 403, 404)), (status, body)
        assert guarded.other.encode() not in body


def test_a_forged_upload_as_nobody_is_refused_before_its_body_is_read(guarded: Guarded) -> None:
    class Endless(io.RawIOBase):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield bytes(65536)

    target = f"/api/characters/{guarded.character}/images"
    kind: dict[str, Any] = {"Content-Type": "multipart/form-data; boundary=x"}
    with guarded.server.client(headers=kind) as client:
        try:
            answer = client.post(target, content=iter(Endless()))
        except httpx.WriteError:  # it had hung up by then
            return
        assert answer.status_code == 401
