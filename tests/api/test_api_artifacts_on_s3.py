"""Artifacts that are on a real S3 server and not on the API's disk, as a browser gets them."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from isengard.events.models import EventName
from isengard.execution.artifacts import ArtifactStore, open_artifacts
from isengard.execution.artifacts.job_upload import CARRIER, JobUpload
from isengard.execution.artifacts.store import job_key
from isengard.journal.tour import Tour
from standins.api_server import ApiServer, api_server, make_character, png
from standins.private_s3 import S3Server, private_s3

WEIGHTS = os.urandom(2 * 1024 * 1024 + 5)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with private_s3(tmp_path_factory.mktemp("s3")) as server, pytest.MonkeyPatch.context() as environment:
        for name, value in server.environment.items():
            environment.setenv(name, value)
        server.make_bucket("team")
        yield server


@pytest.fixture(scope="module")
def far(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API that redirects to weights."""
    folder = tmp_path_factory.mktemp("far") / "data"
    with api_server(folder, artifacts_url=s3.url("team", "far"), artifacts_redirect_s=60) as server:
        yield server


@pytest.fixture(scope="module")
def store(far: ApiServer) -> ArtifactStore:
    return open_artifacts(far.settings)


@pytest.fixture
def client(far: ApiServer) -> Iterator[httpx.Client]:
    with far.client() as made:
        yield made


@pytest.fixture
def job(far: ApiServer, client: httpx.Client, store: ArtifactStore) -> str:
    """A job whose artifacts were delivered, and then removed from this disk but for the second sample."""
    body = {"character_id": make_character(client)["id"], "trainer": "mock", "config": {"steps": 100}}
    made: dict[str, Any] = client.post("/api/training", json=body).json()
    paths, data = far.settings.paths.job(made["id"]), far.settings.paths
    lora = data.loras(made["character_id"]) / "pip.safetensors"
    lora.parent.mkdir(parents=True)
    for path, content in ((paths.checkpoints / "step_50.safetensors", WEIGHTS), (lora, WEIGHTS[:99])):
        path.write_bytes(content)
    with far.journal(made["id"]) as journal:
        for step in (0, 50):
            (paths.samples / f"step_{step}.png").write_bytes(png(color=(step, 9, 9)))
            journal.append(EventName.TRAINING_SAMPLE, "", {"sample_path": f"step_{step}.png", "step": step})
        journal.append(EventName.TRAINING_CHECKPOINT, "", {"checkpoint_path": "step_50.safetensors", "step": 50})
        journal.append(EventName.JOB_COMPLETED, "", {"output_path": str(lora), "status": "completed"})
    (visit,) = [each for each in Tour(data, CARRIER).visits() if each.job_id == made["id"]]
    while JobUpload(data, store).carry(visit):
        pass
    for path in (paths.samples / "step_0.png", paths.checkpoints / "step_50.safetensors", lora):
        path.unlink()
    return str(made["id"])


def test_what_only_the_store_has_is_listed_shown_and_redirected_to(client: httpx.Client, job: str) -> None:
    listed = client.get(f"/api/jobs/{job}/artifacts").json()["artifacts"]
    assert [(each["type"], each["name"], each["size_bytes"]) for each in listed] == [
        ("sample", "step_0.png", len(png(color=(0, 9, 9)))),
        ("sample", "step_50.png", len(png(color=(50, 9, 9)))),
        ("checkpoint", "step_50.safetensors", len(WEIGHTS)),
        ("model", "pip.safetensors", 99),
    ]
    sample = client.get(listed[0]["url"])
    assert sample.content == png(color=(0, 9, 9))
    assert "immutable" in sample.headers["cache-control"]
    assert sample.headers["content-type"] == "image/png"
    for artifact, content in ((listed[2], WEIGHTS), (listed[3], WEIGHTS[:99])):
        answer = client.get(artifact["url"])
        assert (answer.status_code, answer.headers["cache-control"]) == (307, "no-store")
        assert httpx.get(answer.headers["location"], timeout=60).content == content


def test_ranges_and_validators_hold_for_what_is_passed_on(client: httpx.Client, job: str) -> None:
    address = f"/api/jobs/{job}/artifacts/samples/step_0.png"
    whole = client.get(address)
    part = client.get(address, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    assert client.get(address, headers={"Range": "bytes=-4"}).content == whole.content[-4:]
    assert client.get(address, headers={"Range": "bytes=999999-"}).status_code == 416
    assert client.get(address, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    head = client.head(address)
    assert (head.headers["content-length"], head.content) == (str(len(whole.content)), b"")
    assert client.get(f"/api/jobs/{job}/artifacts/samples/none.png").status_code == 404
    assert client.get(f"/api/jobs/{job}/artifacts/checkpoints/..%2Fevents.jsonl").status_code == 404


def test_a_sample_that_only_the_store_has_is_made_smaller(
    far: ApiServer, client: httpx.Client, store: ArtifactStore, job: str, tmp_path: Path
) -> None:
    (tmp_path / "large.png").write_bytes(png(1000, 500))
    store.put(job_key(job, "samples", "large.png"), tmp_path / "large.png")
    address = f"/api/jobs/{job}/artifacts/samples/large.png?width=256"
    small = client.get(address)
    assert (small.status_code, small.headers["content-type"]) == (200, "image/webp")
    with Image.open(io.BytesIO(small.content)) as image:
        assert image.size == (256, 128)
    assert client.get(address, headers={"If-None-Match": small.headers["etag"]}).status_code == 304
    assert client.get(address, headers={"Range": "bytes=0-3"}).content == b"RIFF"
    narrow = client.get(f"/api/jobs/{job}/artifacts/samples/step_0.png?width=128")
    assert narrow.content == png(color=(0, 9, 9))
    assert client.get(f"/api/jobs/{job}/artifacts/samples/none.png?width=128").status_code == 404


def test_the_bundle_holds_samples_from_disk_and_store(far: ApiServer, client: httpx.Client, job: str) -> None:
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"/api/jobs/{job}/debug-bundle").content))
    for step in (0, 50):
        assert archive.read(f"{job}/samples/step_{step}.png") == png(color=(step, 9, 9))
    assert archive.read(f"{job}/report.html").count(b"<img") == 2
    assert not list(far.settings.paths.run.glob("bundle-*"))


def test_an_outage_is_told_and_costs_only_what_is_stored(s3: S3Server, client: httpx.Client, job: str) -> None:
    s3.stop()
    try:
        listed = client.get(f"/api/jobs/{job}/artifacts").json()["artifacts"]
        assert [each["name"] for each in listed] == ["step_50.png"]
        answer = client.get(f"/api/jobs/{job}/artifacts/samples/step_0.png")
        assert answer.status_code == 503
        assert "s3://team/far does not answer" in answer.json()["detail"]
        (check,) = [each for each in client.get("/ready").json()["checks"] if each["name"] == "artifacts"]
        assert (check["ok"], check["required"]) == (False, False)
        assert client.get(f"/api/jobs/{job}/artifacts/samples/step_50.png").status_code == 200
        bundle = zipfile.ZipFile(io.BytesIO(client.get(f"/api/jobs/{job}/debug-bundle").content))
        assert b"does not answer" in bundle.read(f"{job}/metadata.json")
    finally:
        s3.start()
        s3.make_bucket("team")


def test_deleting_a_job_empties_its_place_in_the_store_but_for_the_lora(
    far: ApiServer, client: httpx.Client, store: ArtifactStore, job: str, tmp_path: Path
) -> None:
    other = job_key("train-other0000000", "samples", "a.png")
    (tmp_path / "a.png").write_bytes(b"a")
    store.put(other, tmp_path / "a.png")
    row = client.get(f"/api/training/{job}").json()
    client.post(f"/api/training/{job}/cancel")
    assert client.delete(f"/api/training/{job}").status_code == 204
    assert list(store.list(job_key(job))) == []
    assert store.find(other) is not None
    assert store.find(f"loras/{row['character_id']}/pip.safetensors") is not None
