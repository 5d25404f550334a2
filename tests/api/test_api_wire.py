"""What arrives on a connection before a route could refuse it: floods of headers, heads and bodies that never end."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
from collections.abc import Iterable, Iterator

import httpx
import pytest
from websockets.sync.client import connect

from standins.api_server import PATIENCE_S, ApiServer, api_server, make_character

MIB = 1024 * 1024
START = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = (
    b"POST /api/characters HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n2"
)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("strict") / "data"
    with api_server(folder, max_header_kb=16, header_timeout_s=0.5, body_timeout_s=0.5) as server:
        yield server


def exchange(server: ApiServer, pieces: Iterable[bytes]) -> bytes:
    """What the server says until it closes the connection."""
    said = b""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as connection:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
        with contextlib.suppress(ConnectionError):
            while block := connection.recv(65536):
                said += block
    return said


def refusal(said: bytes) -> tuple[int, str]:
    head, _, body = said.partition(b"\r\n\r\n")
    for header in (b"x-content-type-options: nosniff", b"content-security-policy:", b"x-correlation-id:"):
        assert header in head.lower()
    return int(head.split()[1]), json.loads(body)["detail"]


@pytest.mark.parametrize(
    "pieces",
    [
        [START + b"X-A: " + b"a" * 40_000 + b"\r\n\r\n"],
        [START + b"".join(b"X-%d: a\r\n" % number for number in range(4000)) + b"\r\n"],
        [b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ],
    ids=["one long header", "many headers", "a long address"],
)
def test_a_head_over_the_limit_is_refused_and_the_setting_named(strict: ApiServer, pieces: list[bytes]) -> None:
    status, detail = refusal(exchange(strict, pieces))
    assert status == 431
    assert "ISENGARD_MAX_HEADER_KB" in detail


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (START + b"X-A: ", b"a" * MIB),
        (START, b"X-Some-Header: value\r\n" * 50_000),
        (b"GET /", b"a" * MIB),
        (CHUNKED + b";", b"x" * MIB),
        (CHUNKED + b"\r\n{}\r\n0\r\n", b"X-Trailer: " + b"x" * MIB + b"\r\n"),
        (b"", b"\r\n" * (MIB // 2)),
        (b"", b"GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n" * 25_000),
    ],
    ids=["header", "headers", "address", "chunk", "trailers", "empty lines", "requests ahead of answers"],
)
def test_a_flood_is_cut_off_and_costs_no_memory(strict: ApiServer, start: bytes, piece: bytes) -> None:
    before = strict.memory()
    exchange(strict, (start, *([piece] * 100)))
    assert strict.memory() - before < 40 * MIB
    with strict.client() as client:
        assert client.get("/health").status_code == 200


@pytest.mark.parametrize("head", [b"", START, b"\r\n"])
def test_a_head_that_does_not_end_is_given_up(strict: ApiServer, head: bytes) -> None:
    said = exchange(strict, [head])
    status, detail = refusal(said[said.rindex(b"HTTP/1.1") :])
    assert status == 408
    assert "ISENGARD_HEADER_TIMEOUT_S" in detail


@pytest.mark.parametrize(
    "kind", ["application/json", "multipart/form-data; boundary=b", "application/x-www-form-urlencoded"]
)
def test_a_body_that_does_not_end_is_given_up(strict: ApiServer, kind: str) -> None:
    place = "/login" if "urlencoded" in kind else "/api/characters"
    place += "/char-000000000000/images" if "multipart" in kind else ""
    head = (
        f"POST {place} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: 99"
    )
    status, detail = refusal(exchange(strict, [head.encode() + b"\r\n\r\n--b"]))
    assert status == 408
    assert "ISENGARD_BODY_TIMEOUT_S" in detail


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n evil.example\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    ],
)
def test_a_head_that_two_servers_could_read_in_two_ways_is_refused(strict: ApiServer, head: bytes) -> None:
    assert refusal(exchange(strict, [head]))[0] == 400


def test_an_address_in_its_absolute_form_with_our_own_host_is_understood(strict: ApiServer) -> None:
    said = exchange(strict, [b"GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"])
    assert b" 200 OK" in said


def test_a_stream_and_a_socket_outlive_the_time_for_a_head(strict: ApiServer) -> None:
    with strict.client() as client:
        body = {"character_id": make_character(client)["id"], "trainer": "mock"}
        job = client.post("/api/training", json=body).json()["id"]
        with (
            client.stream("GET", f"/api/jobs/{job}/stream") as stream,
            connect(f"ws://127.0.0.1:{strict.port}/api/jobs/{job}/ws") as channel,
        ):
            lines = stream.iter_lines()
            assert next(lines).startswith("retry")
            channel.recv(PATIENCE_S)
            exchange(strict, [b""])  # by whose end the time is over for those as well
            client.post(f"/api/training/{job}/cancel")
            assert "event: complete" in list(lines)
            assert '"complete"' in list(channel)[-1]


@pytest.mark.parametrize(
    ("body", "headers", "status", "told"),
    [
        (b'{"name": "a", "trigger_word": "b", "name": "c"}', {}, 400, "'name' comes twice"),
        (b'{"name": {"a": 1, "a": 2}}', {}, 400, "'a' comes twice"),
        (b'{"name": %b%b, "name": "a"}' % (b"[" * 1010, b"]" * 1010), {}, 413, "nested deeper than 64 levels"),
        (b"[" + b"1," * 100_000 + b"1]", {}, 413, "more than 20000 values"),
        (b"{" + b",".join(b'"k%d":1' % number for number in range(100_000)) + b"}", {}, 413, "more than 20000 values"),
        (gzip.compress(b"{}"), {"Content-Encoding": "gzip"}, 415, "Content-Encoding"),
        (b'{"name": "a", "trigger_word": "b"}', {"Content-Type": "text/plain"}, 415, "application/json"),
        (b"name=a&trigger_word=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
    ],
    ids=["twice", "twice inside", "twice and deep", "many items", "many keys", "compressed", "text", "form"],
)
def test_a_body_that_is_no_plain_json_is_refused_with_the_reason(
    strict: ApiServer, body: bytes, headers: dict[str, str], status: int, told: str
) -> None:
    with strict.client(headers={"Content-Type": "application/json", **headers}) as client:
        answer = client.post("/api/characters", content=body)
    assert answer.status_code == status
    assert told in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/login", "/api/training", "/api/characters"])
@pytest.mark.parametrize("announced", [True, False])
def test_a_form_is_large_only_where_images_are_uploaded(strict: ApiServer, path: str, announced: bool) -> None:
    """At the login a stranger could else fill the disk with what is spooled."""
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    body = head + bytes(3 * MIB) + b"\r\n--x--\r\n"
    form = {"content-type": "multipart/form-data; boundary=x"}

    def send(client: httpx.Client, address: str) -> httpx.Response:
        content = body if announced else iter([body[:MIB], body[MIB:]])
        return client.post(address, content=content, headers=form)

    with strict.client() as client:
        refused = send(client, path)
        assert refused.status_code == 413
        assert ("64 KiB" if path == "/login" else "2 MiB (ISENGARD_MAX_BODY_MB)") in refused.text
        assert send(client, f"/api/characters/{make_character(client)['id']}/images").status_code == 201
