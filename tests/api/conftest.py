"""One API process for all tests that need no settings of their own, and what they put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from standins.api_server import ApiServer, api_server, make_character


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("api") / "data") as server:
        yield server


@pytest.fixture
def client(api: ApiServer) -> Iterator[httpx.Client]:
    with api.client() as made:
        yield made


@pytest.fixture
def character(client: httpx.Client) -> dict[str, Any]:
    return make_character(client)


@pytest.fixture
def queue(client: httpx.Client, character: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """Queues a training; no worker runs, so its journal is the test's to write."""

    def make(**config: Any) -> dict[str, Any]:
        body = {"character_id": character["id"], "trainer": "mock", "config": {"steps": 100, **config}}
        answer = client.post("/api/training", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    return make


@pytest.fixture
def job(queue: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return queue()
