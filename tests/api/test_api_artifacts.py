"""Samples, checkpoints, the model and the bundle, as a browser gets them."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import socket
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from isengard.events.models import EventName
from isengard.jobs.models import JobStatus
from isengard.jobs.store import open_store
from standins.api_server import ApiServer, png
from standins.workbench import eventually


@pytest.fixture
def rich_job(api: ApiServer, job: dict[str, Any]) -> str:
    """A job with two samples, a checkpoint and things that are nobody's business."""
    paths = api.settings.paths.job(job["id"])
    with api.journal(job["id"]) as journal:
        for step in (0, 50):
            (paths.samples / f"step_{step:06d}_0.png").write_bytes(png(color=(step, 9, 9)))
            fields = {"sample_path": f"step_{step:06d}_0.png", "step": step, "sample_prompt": "pipbot", "attempt": 1}
            journal.append(EventName.TRAINING_SAMPLE, "", {**fields, "sample_index": 0, "sample_seed": 42})
        (paths.checkpoints / "step_000050.safetensors").write_bytes(bytes(range(256)) * 8)
        fields = {"checkpoint_path": "step_000050.safetensors", "step": 50, "attempt": 1}
        journal.append(EventName.TRAINING_CHECKPOINT, "", fields)
        journal.append(EventName.TRAINING_SAMPLE, "", {"sample_path": "vanished.png", "step": 51})
    (paths.samples / "half-written.png").write_bytes(b"\x89PNG")
    os.symlink("/etc/hostname", paths.samples / "link.png")
    os.symlink(paths.journal, paths.checkpoints / "out.safetensors")
    return str(job["id"])


def test_the_list_describes_what_lies_on_disk(client: httpx.Client, rich_job: str) -> None:
    found = client.get(f"/api/jobs/{rich_job}/artifacts").json()
    assert found["total_count"] == 3
    first, second, checkpoint = found["artifacts"]
    assert (first["type"], first["step"], first["prompt"], first["index"]) == ("sample", 0, "pipbot", 0)
    assert (second["step"], second["seed"], second["attempt"]) == (50, 42, 1)
    assert (checkpoint["type"], checkpoint["size_bytes"], checkpoint["kept"]) == ("checkpoint", 2048, False)
    for artifact in found["artifacts"]:
        answer = client.get(artifact["url"])
        assert answer.status_code == 200
        assert len(answer.content) == artifact["size_bytes"]
        assert "immutable" in answer.headers["cache-control"]


def test_a_prompt_that_is_no_text_takes_no_sample_off_the_list(
    api: ApiServer, client: httpx.Client, job: dict[str, Any]
) -> None:
    (api.settings.paths.job(job["id"]).samples / "odd.png").write_bytes(png())
    with api.journal(job["id"]) as journal:
        journal.append(EventName.TRAINING_SAMPLE, "", {"sample_path": "odd.png", "step": 1, "sample_prompt": ["pip"]})
    (found,) = client.get(f"/api/jobs/{job['id']}/artifacts").json()["artifacts"]
    assert (found["name"], found["prompt"]) == ("odd.png", None)


def test_files_have_a_fixed_type_and_no_rights(client: httpx.Client, rich_job: str) -> None:
    sample = client.get(f"/api/jobs/{rich_job}/artifacts/samples/step_000000_0.png")
    assert sample.headers["content-type"] == "image/png"
    assert sample.headers["content-disposition"].startswith("inline")
    weights = client.get(f"/api/jobs/{rich_job}/artifacts/checkpoints/step_000050.safetensors")
    assert weights.headers["content-type"] == "application/octet-stream"
    assert weights.headers["content-disposition"].startswith("attachment")
    for answer in (sample, weights):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "private, no-cache"


def test_ranges_follow_the_standard(client: httpx.Client, rich_job: str) -> None:
    path = f"/api/jobs/{rich_job}/artifacts/checkpoints/step_000050.safetensors"
    whole = client.get(path)

    def part(value: str, **headers: str) -> httpx.Response:
        return client.get(path, headers={"Range": value, **headers})

    assert part("bytes=0-0").content == whole.content[:1]
    assert part("bytes=2000-").content == whole.content[2000:]
    assert part("bytes=-5").content == whole.content[-5:]
    assert part("bytes=2040-9999").headers["content-range"] == "bytes 2040-2047/2048"
    for outside in ("bytes=2048-", "bytes=5-2", "bytes=-0"):
        refused = part(outside)
        assert refused.status_code == 416
        assert refused.headers["content-range"] == "bytes */2048"
        assert "2048 bytes" in refused.json()["detail"]
    for ignored in ("bytes=a-b", "lines=1-2", "bytes=0-1,4-5", "bytes=-"):
        assert part(ignored).status_code == 200
    assert part("bytes=0-1", **{"If-Range": whole.headers["etag"]}).status_code == 206
    assert part("bytes=0-1", **{"If-Range": '"other"'}).status_code == 200
    head = client.head(path)
    assert (head.content, head.headers["content-length"]) == (b"", "2048")


def test_an_unchanged_file_is_not_sent_again(client: httpx.Client, rich_job: str) -> None:
    path = f"/api/jobs/{rich_job}/artifacts/samples/step_000000_0.png"
    whole = client.get(path)
    etag = whole.headers["etag"]
    for value in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        assert client.get(path, headers={"If-None-Match": value}).status_code == 304
    assert client.get(path, headers={"If-None-Match": '"x"'}).status_code == 200
    since = {"If-Modified-Since": whole.headers["last-modified"]}
    assert client.get(path, headers=since).status_code == 304
    assert client.get(path, headers={**since, "If-None-Match": '"x"'}).status_code == 200, "a tag counts more"
    for earlier in ("Thu, 01 Jan 1970 00:00:00 GMT", "yesterday"):
        assert client.get(path, headers={"If-Modified-Since": earlier}).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        *("link.png", "../events.jsonl", "..%2fevents.jsonl", "%2e%2e%2fevents.jsonl", "..%5cevents.jsonl"),
        *("%252e%252e%252fevents.jsonl", "step_000000_0.png%00.txt", ".", "..", "", "%00", "a" * 5000),
        *("..%c0%afevents.jsonl", "%e2%80%aeevents", "C:%5cevents.jsonl", "....//events.jsonl", "nul"),
    ],
)
def test_nothing_outside_the_folder_is_served(api: ApiServer, rich_job: str, name: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", api.port)  # httpx would tidy the path up
    for kind in ("samples", "checkpoints"):
        connection.request("GET", f"/api/jobs/{rich_job}/artifacts/{kind}/{name}")
        answer = connection.getresponse()
        assert answer.status == 404
        assert b"job.created" not in answer.read()
    connection.close()


def test_a_linked_checkpoint_is_not_served(client: httpx.Client, rich_job: str) -> None:
    assert client.get(f"/api/jobs/{rich_job}/artifacts/checkpoints/out.safetensors").status_code == 404


def test_a_kept_checkpoint_survives_its_trainer(api: ApiServer, client: httpx.Client, rich_job: str) -> None:
    base = f"/api/jobs/{rich_job}/artifacts"
    keep = f"{base}/checkpoints/step_000050.safetensors/keep"
    assert client.put(keep).json()["kept"] is True
    (api.settings.paths.job(rich_job).checkpoints / "step_000050.safetensors").unlink()
    listed = [each for each in client.get(base).json()["artifacts"] if each["type"] == "checkpoint"]
    assert [each["kept"] for each in listed] == [True]
    assert client.get(listed[0]["url"]).content == bytes(range(256)) * 8
    assert client.delete(keep).status_code == 204
    assert client.get(f"{base}/checkpoints/step_000050.safetensors").status_code == 404
    assert client.put(keep).status_code == 404


def test_the_model_is_served_once_there_is_one(api: ApiServer, client: httpx.Client, job: dict[str, Any]) -> None:
    path = f"/api/jobs/{job['id']}/artifacts/model"
    assert client.get(path).status_code == 404
    target = api.settings.paths.loras(job["character_id"]) / "pip.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"weights")
    store = open_store(api.settings)
    store.transition(job["id"], JobStatus.RUNNING)
    store.transition(job["id"], JobStatus.COMPLETED, output_path=str(target))
    store.close()
    answer = client.get(path)
    assert (answer.status_code, answer.content) == (200, b"weights")
    assert "pip.safetensors" in answer.headers["content-disposition"]
    listed = client.get(f"/api/jobs/{job['id']}/artifacts").json()["artifacts"]
    assert [(each["type"], each["name"]) for each in listed] == [("model", "pip.safetensors")]


def test_an_uploaded_page_is_never_served_as_one(client: httpx.Client, character: dict[str, Any]) -> None:
    path = f"/api/characters/{character['id']}/images"
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    files = [("files", ("a.svg", svg)), ("files", ("b.png", b"<html><script>alert(1)</script></html>"))]
    result = client.post(path, files=files).json()
    assert result["uploaded"] == []
    assert {rejection["filename"] for rejection in result["rejected"]} == {"a.svg", "b.png"}


def test_the_bundle_is_a_whole_zip_with_what_was_promised(client: httpx.Client, rich_job: str) -> None:
    answer = client.get(f"/api/jobs/{rich_job}/debug-bundle")
    assert answer.headers["content-type"] == "application/zip"
    assert f"{rich_job}_debug.zip" in answer.headers["content-disposition"]
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    names = set(archive.namelist())
    wanted = ("README.txt", "metadata.json", "events.jsonl", "environment.json", "report.html")
    assert {f"{rich_job}/{name}" for name in wanted} <= names
    assert {f"{rich_job}/service_logs/{name}.log" for name in ("api", "worker")} <= names
    assert f"{rich_job}/samples/step_000050_0.png" in names
    assert not any("link.png" in name or "out.safetensors" in name for name in names)


def test_an_upload_is_spooled_in_the_data_folder_and_not_in_memory(
    api: ApiServer, client: httpx.Client, character: dict[str, Any]
) -> None:
    head = (
        f"POST /api/characters/{character['id']}/images HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Type: multipart/form-data; boundary=xx\r\nContent-Length: 90000000\r\n\r\n"
        '--xx\r\nContent-Disposition: form-data; name="files"; filename="big.zip"\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", api.port)) as connection:
        connection.sendall(head.encode() + b"PK" * 4_000_000)

        def spooled() -> list[str]:
            open_files: list[str] = []
            for link in Path(f"/proc/{api.process.pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):  # closed since it was listed
                    open_files.append(os.readlink(link))
            return [path for path in open_files if path.startswith(str(api.settings.data_dir / "run" / "spool"))]

        eventually(spooled, "the upload being on the disk")
    eventually(lambda: not spooled(), "the spool being gone with its client")
    assert client.get(f"/api/characters/{character['id']}").json()["image_count"] == 1
