"""The picture that stands for a job: in lists, in its own view, and on both streams."""

from __future__ import annotations

import io
from typing import Any

import httpx
from PIL import Image

from isengard.events.models import EventName
from standins.api_server import ApiServer, png


def _tell(api: ApiServer, job_id: str, *samples: dict[str, Any]) -> None:
    with api.journal(job_id) as journal:
        for fields in samples:
            journal.append(EventName.TRAINING_SAMPLE, "", {"attempt": 1, **fields})


def test_lists_and_single_jobs_show_the_first_prompts_newest_sample(
    api: ApiServer, client: httpx.Client, job: dict[str, Any]
) -> None:
    assert job["sample"] is None
    (api.settings.paths.job(job["id"]).samples / "10 a.png").write_bytes(png(1024, 768))
    first, second = (
        {"sample_path": f"10 {name}.png", "step": 10, "sample_index": index, "sample_prompt": "é" * 999}
        for index, name in enumerate("ab")
    )
    _tell(api, job["id"], {"sample_path": "0 a.png", "step": 0}, first, second)
    alone = client.get(f"/api/training/{job['id']}").json()["sample"]
    assert (alone["step"], alone["prompt"]) == (10, "é" * 200)
    small = client.get(alone["url"] + "&width=128").content
    assert Image.open(io.BytesIO(small)).size == (128, 96)
    listed = client.get("/api/training").json()["jobs"]
    assert [each["sample"] for each in listed if each["id"] == job["id"]] == [alone]
    _tell(api, job["id"], {**first, "attempt": 2})
    again = client.get(f"/api/training/{job['id']}").json()["sample"]
    assert again["step"] == 10
    assert again["url"] != alone["url"], "another picture under the same name"


def test_both_streams_tell_of_a_new_sample(api: ApiServer, client: httpx.Client, job: dict[str, Any]) -> None:
    with client.stream("GET", "/api/stream") as stream:
        lines = stream.iter_lines()
        next(line for line in lines if line.startswith("event: snapshot"))
        _tell(api, job["id"], {"sample_path": "a.png", "step": 3, "sample_prompt": "pip"})
        told = next(line for line in lines if job["id"] in line and "a.png" in line)
    assert '"step":3,"prompt":"pip"' in told
    with client.stream("GET", f"/api/jobs/{job['id']}/stream") as stream:
        lines = stream.iter_lines()
        next(line for line in lines if line.startswith("event: snapshot"))
        assert "samples/a.png?seq=" in next(lines)
