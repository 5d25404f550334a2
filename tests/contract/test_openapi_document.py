"""The OpenAPI document: complete enough to make clients from, and the same as the one the page's types come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from isengard.api.openapi import document

COMMITTED = Path(__file__).parents[2] / "web" / "openapi.json"
CONTRACT = Path(__file__).parents[2] / "docs" / "contract.md"


def operations() -> list[Any]:
    return [
        pytest.param(path, operation, id=f"{method} {path}")
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]


def resolved(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, or the shared one it refers to."""
    name = answer.get("$ref", "").removeprefix("#/components/responses/")
    return dict(document()["components"]["responses"][name]) if name else answer


@pytest.mark.parametrize(("path", "operation"), operations())
def test_an_operation_says_what_it_does_and_what_it_refuses(path: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["operationId"].isidentifier()
    assert operation["tags"]
    answers = operation["responses"]
    good = next(answers[code] for code in answers if code.startswith("2"))
    assert "content" in good or "204" in answers
    if "{" in path:
        assert "404" in answers
    if "requestBody" in operation or any(each["in"] == "query" for each in operation.get("parameters", ())):
        assert {"422", "413"} & set(answers)
    for code, answer in ((code, resolved(answer)) for code, answer in answers.items()):
        if code >= "400" and code != "503":
            assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_operation_ids_are_unique() -> None:
    ids = [each.values[1]["operationId"] for each in operations()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("path", "operation"), operations())
def test_an_operation_says_who_is_refused(path: str, operation: dict[str, Any]) -> None:
    refusals = {"401", "403", "429"} & set(operation["responses"])
    assert refusals == ({"403"} if path == "/health" else {"401", "403", "429"})
    assert operation.get("security", document()["security"]) == (
        [] if path == "/health" else [{"token": []}, {"session": []}, {}]
    )


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(document())
    names = {piece.split('"')[0] for piece in text.split("#/components/schemas/")[1:]}
    assert names <= set(document()["components"]["schemas"])
    assert {"StreamFrame", "JobsStreamFrame", "ProgressData", "Problem"} <= names | set(
        document()["components"]["schemas"]
    )


def test_models_of_requests_have_examples() -> None:
    schemas = document()["components"]["schemas"]
    for name in ("CharacterCreate", "TrainingRequest", "Caption"):
        assert any("examples" in each for each in schemas[name]["properties"].values()), name


def test_the_committed_document_is_up_to_date() -> None:
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == json.loads(json.dumps(document()))


def test_every_address_of_the_contract_is_there() -> None:
    found = set(document()["paths"])
    for address in (
        *("/health", "/ready", "/info", "/metrics", "/api/characters", "/api/characters/{character_id}"),
        *("/api/characters/{character_id}/images", "/api/characters/{character_id}/images/{filename}"),
        *("/api/characters/{character_id}/images/{filename}/caption", "/api/training", "/api/training/{job_id}"),
        *("/api/training/{job_id}/cancel", "/api/training/{job_id}/resume", "/api/jobs/{job_id}/logs"),
        *("/api/jobs/{job_id}/logs/view", "/api/jobs/{job_id}/stream", "/api/stream", "/api/jobs/{job_id}/metrics"),
        *("/api/jobs/{job_id}/artifacts", "/api/jobs/{job_id}/artifacts/samples/{filename}"),
        *("/api/jobs/{job_id}/artifacts/checkpoints/{filename}", "/api/jobs/{job_id}/artifacts/model"),
        *("/api/jobs/{job_id}/debug-bundle", "/api/jobs/{job_id}/summary"),
    ):
        assert address in found
