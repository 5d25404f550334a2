"""What is around every answer: correlation ids, security headers, guards against other sites, the last resort."""

from __future__ import annotations

import io
import json
import shutil
import socket
import zipfile
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from standins.api_server import ApiServer
from standins.workbench import eventually

KINDS_OF_ANSWER = [
    ("GET", "/health", 200),
    ("GET", "/", 200),
    ("GET", "/api/nothing", 404),
    ("GET", "/no/such/page", 404),
    ("GET", "/api/training?limit=0", 422),
    ("PUT", "/api/training", 405),
    ("GET", "/openapi.json", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), KINDS_OF_ANSWER)
def test_every_kind_of_answer_carries_its_correlation_id_and_security_headers(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    accept = "text/html" if path == "/" else "*/*"
    answer = client.request(method, path, headers={"X-Correlation-ID": "mine-1", "Accept": accept})
    assert answer.status_code == status
    assert answer.headers["x-correlation-id"] == "mine-1"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "'unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize("bad", ["", "-x", "a b", "x" * 200, "a\tb", "<script>", "a,b"])
def test_an_id_that_is_not_valid_is_replaced(client: httpx.Client, bad: str) -> None:
    given = client.get("/health", headers={"X-Correlation-ID": bad}).headers["x-correlation-id"]
    assert given.startswith("corr-")
    assert given != client.get("/health").headers["x-correlation-id"]


def test_the_id_reaches_the_journal_and_the_service_log(
    api: ApiServer, client: httpx.Client, character: dict[str, Any]
) -> None:
    story = f"story-of-{character['id']}"
    body = {"character_id": character["id"], "trainer": "mock"}
    job = client.post("/api/training", json=body, headers={"X-Correlation-ID": story}).json()
    lines = client.get(f"/api/jobs/{job['id']}/logs").text.splitlines()
    assert {json.loads(line)["correlation_id"] for line in lines} == {story}
    logged = eventually(
        lambda: [line for line in api.service_log() if line.get("correlation_id") == story], "the service log's line"
    )
    assert logged[0]["fields"]["status"] == 201
    assert logged[0]["fields"]["route"] == "/api/training"


def test_what_nobody_expected_is_a_500_whose_stack_stays_here(
    api: ApiServer, client: httpx.Client, job: dict[str, Any]
) -> None:
    paths = api.settings.paths.job(job["id"])
    shutil.rmtree(paths.root)
    paths.journal.mkdir(parents=True)  # a folder where a file should be
    answer = client.get(f"/api/jobs/{job['id']}/logs/view", headers={"X-Correlation-ID": "lost-1"})
    assert answer.status_code == 500
    assert set(answer.json()) == {"detail"}
    assert "lost-1" in answer.json()["detail"]
    assert "Traceback" not in answer.text
    assert str(paths.root) not in answer.text
    logged = eventually(
        lambda: [
            line
            for line in api.service_log()
            if line.get("correlation_id") == "lost-1" and "error_stack" in line["fields"]
        ],
        "the stack in the service log",
    )
    assert "IsADirectoryError" in logged[0]["fields"]["error_stack"]
    listed = client.get("/api/training", params={"character_id": job["character_id"]})
    assert [each["id"] for each in listed.json()["jobs"]] == [job["id"]]  # one bad journal hides no job


@pytest.mark.parametrize(
    "damage", [b"no line at all \xff\n", bytes(300) + b"\n", b'{"seq":3,"ts":"then","level":"ERROR"}\n']
)
def test_a_damaged_line_in_the_middle_of_a_journal_is_shown_as_one(
    api: ApiServer, client: httpx.Client, job: dict[str, Any], damage: bytes
) -> None:
    path = api.settings.paths.job(job["id"]).journal
    last = json.loads(path.read_bytes().splitlines()[-1])
    damaged_at = last["seq"] + 1
    following = {**last, "seq": damaged_at + 1, "event": "log", "msg": "and on it goes"}
    with path.open("ab") as file:
        file.write(damage + json.dumps(following, separators=(",", ":")).encode() + b"\n")
    address = f"/api/jobs/{job['id']}"
    for place in ("/summary", "/logs/view", "/logs/view?search=created", "/artifacts", "/metrics", "/trace", "/logs"):
        answer = client.get(address + place)
        assert answer.status_code == 200, (place, answer.text)
    located = client.get(f"{address}/logs/locate", params={"first_error": True}).json()
    assert (located["seq"], located["timestamp"]) == (damaged_at, "1970-01-01T00:00:00Z")
    with zipfile.ZipFile(io.BytesIO(client.get(f"{address}/debug-bundle").content)) as bundle:
        assert bundle.testzip() is None


class TestOtherSites:
    """A page on another site must reach nothing through the visitor's browser."""

    ROUTES = (
        *(("GET", "/api/training"), ("POST", "/api/demo"), ("DELETE", "/api/training/train-000000000000")),
        *(("GET", "/api/stream"), ("PATCH", "/api/characters/char-000000000000"), ("OPTIONS", "/api/training")),
    )

    @pytest.mark.parametrize(("method", "path"), ROUTES)
    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "file://", ""])
    def test_a_foreign_origin_is_refused(self, client: httpx.Client, method: str, path: str, origin: str) -> None:
        answer = client.request(method, path, headers={"Origin": origin})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers

    @pytest.mark.parametrize(("method", "path"), ROUTES)
    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", ""])
    def test_a_foreign_host_is_refused(self, client: httpx.Client, method: str, path: str, host: str) -> None:
        assert client.request(method, path, headers={"Host": host}).status_code == 403

    def test_a_request_that_its_browser_calls_foreign_is_refused_but_a_link_is_followed(
        self, client: httpx.Client
    ) -> None:
        foreign = {"Sec-Fetch-Site": "cross-site"}
        assert client.get("/api/training", headers={**foreign, "Sec-Fetch-Mode": "no-cors"}).status_code == 403
        assert client.get("/health", headers={**foreign, "Sec-Fetch-Mode": "navigate"}).status_code == 200

    def test_its_own_page_may_do_everything(self, api: ApiServer, client: httpx.Client) -> None:
        headers = {"Origin": api.url, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
        assert client.get("/api/training", headers=headers).status_code == 200
        for host in ("localhost", "[::1]", "127.0.0.1"):
            assert client.get("/health", headers={"Host": f"{host}:{api.port}"}).status_code == 200

    def test_a_foreign_page_opens_no_websocket(self, api: ApiServer, job: dict[str, Any]) -> None:
        address = f"ws://127.0.0.1:{api.port}/api/jobs/{job['id']}/ws"
        with pytest.raises(InvalidStatus) as refused, connect(address, origin="http://evil.example"):  # type: ignore[arg-type]
            pass
        assert refused.value.response.status_code == 403

    def test_a_websocket_to_nothing_is_denied_with_the_reason(self, api: ApiServer) -> None:
        address = f"ws://127.0.0.1:{api.port}/api/jobs/train-000000000000/ws"
        with pytest.raises(InvalidStatus) as refused, connect(address):
            pass
        assert refused.value.response.status_code == 404
        assert "train-000000000000" in json.loads(refused.value.response.body or b"")["detail"]
        assert refused.value.response.headers["x-correlation-id"]


def test_what_is_not_http_harms_nothing(api: ApiServer, client: httpx.Client) -> None:
    for nonsense in (b"\x16\x03\x01\x02\x00", b"GET /\x00 HTTP/1.1\r\n\r\n", b"\r\n" * 500, b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", api.port)) as connection:
            connection.sendall(nonsense)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(10)
            assert b"200 OK" not in connection.recv(4096)
    assert client.get("/health").status_code == 200
