"""The queue over real HTTP: what waits, pausing, priorities."""

from __future__ import annotations

from typing import Any

import httpx


def order(client: httpx.Client) -> list[str]:
    return [waiting["job_id"] for waiting in client.get("/api/queue").json()["waiting"]]


def test_it_shows_what_waits_in_the_order_of_priorities(client: httpx.Client, job: dict[str, Any]) -> None:
    plan = {"character_id": job["character_id"], "trainer": "mock", "config": {"gpus": 2}}
    second = client.post("/api/training", json=plan).json()
    urgent = client.post("/api/training", json={**plan, "priority": 7}).json()
    assert [each for each in order(client) if each in {job["id"], second["id"], urgent["id"]}] == [
        urgent["id"],
        job["id"],
        second["id"],
    ]
    waiting = {each["job_id"]: each for each in client.get("/api/queue").json()["waiting"]}
    assert waiting[urgent["id"]] | {"queued_at": None} == {
        "job_id": urgent["id"],
        "position": 1,
        "priority": 7,
        "gpus": 2,
        "queued_at": None,
        "not_before": None,
    }
    moved = client.patch(f"/api/training/{second['id']}", json={"priority": 9})
    assert (moved.status_code, moved.json()["priority"]) == (200, 9)
    assert order(client)[0] == second["id"]


def test_it_can_be_paused_with_a_reason_and_goes_on(client: httpx.Client) -> None:
    paused = client.patch("/api/queue", json={"paused": True, "reason": "new driver"}).json()
    assert (paused["paused"], paused["reason"]) == (True, "new driver")
    assert client.get("/api/queue").json()["changed_at"]
    resumed = client.patch("/api/queue", json={"paused": False}).json()
    assert (resumed["paused"], resumed["reason"], resumed["gpus"]) == (False, None, [])


def test_what_makes_no_sense_is_refused(client: httpx.Client, job: dict[str, Any]) -> None:
    assert client.patch("/api/queue", json={}).status_code == 422
    assert client.patch("/api/queue", json={"paused": "perhaps"}).status_code == 422
    assert client.patch(f"/api/training/{job['id']}", json={"priority": 10**9}).status_code == 422
    assert client.patch("/api/training/train-000000000000", json={"priority": 1}).status_code == 404
    client.post(f"/api/training/{job['id']}/cancel")
    refused = client.patch(f"/api/training/{job['id']}", json={"priority": 1})
    assert refused.status_code == 409
    assert "only a queued one has a place in the queue" in refused.json()["detail"]
