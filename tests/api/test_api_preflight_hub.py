"""Whom the API asks for a base model: the hub of its own environment, and nobody that a request names."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from standins.api_server import api_server, make_character


@contextmanager
def hub() -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """A server that has every model; its address and what it was asked: paths with the token that came along."""
    asked: list[tuple[str, str | None]] = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append((self.path, self.headers.get("Authorization")))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_no_request_makes_the_api_ask_another_server_or_show_it_the_servers_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_token, given = f"hf_{secrets.token_hex(16)}", f"hf_{secrets.token_hex(16)}"
    with hub() as (address, asked), hub() as (elsewhere, tempted):
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setenv("HF_TOKEN", own_token)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        with api_server(tmp_path / "data") as server, server.client() as client:
            plan = {"character_id": make_character(client)["id"], "trainer": "diffusers"}

            def findings(model: str, **given_secrets: str) -> list[str]:
                body = {**plan, "config": {"base_model": model}, "secrets": given_secrets}
                answer = client.post("/api/training/preflight", json=body)
                assert answer.status_code == 200
                return [f"{each['code']} {each['message']}" for each in answer.json()["findings"]]

            findings("people/open")
            findings("people/open", HF_TOKEN=given)
            refused = findings("people/open", HF_ENDPOINT=elsewhere)
            findings("people/open", HTTP_PROXY=elsewhere, http_proxy=elsewhere)
            findings("../api")
    assert tempted == []
    assert any("HF_ENDPOINT" in each for each in refused if each.startswith("secrets_refused"))
    assert [path for path, _ in asked] == ["/people/open/resolve/main/model_index.json"] * 4
    assert [token for _, token in asked[:2]] == [f"Bearer {own_token}", f"Bearer {given}"]
