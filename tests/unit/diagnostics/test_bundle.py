"""The debug bundle: complete, streamed, and without a secret in any corner of it."""

from __future__ import annotations

import base64
import io
import json
import os
import secrets
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from isengard.core.errors import StorageError
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.diagnostics import first_error
from isengard.diagnostics.bundle import Bundle, stream_bundle, write_bundle
from isengard.events.models import EventName, Level
from isengard.execution import job_secrets
from isengard.jobs.models import Character, Job
from isengard.journal import JournalReader, JournalWriter
from standins.jobs_and_characters import EPOCH, a_job
from standins.small_disk import small_disk


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(data_dir=tmp_path / "data")
    made.paths.prepare()
    return made


@pytest.fixture
def job(settings: Settings) -> Job:
    """A failed job with a sample, a checkpoint, trainer output and service logs."""
    made = a_job(Character("char-000000000001", "Pip", "pipbot", EPOCH, EPOCH))
    paths = settings.paths.job(made.id)
    paths.make()
    with JournalWriter.open(paths, service="runner", redactor=Redactor(), correlation_id="corr-1") as journal:
        journal.append(EventName.JOB_CREATED, "created", {"config": {"steps": 4}, "status": "queued"})
        for step in range(1, 5):
            journal.append(EventName.TRAINING_STEP, "", {"step": step, "steps_total": 9, "loss": 1 / step})
        journal.append(EventName.SUBPROCESS_STDERR, "CUDA out of memory", level=Level.WARN)
        failed = {"status": "failed", "error": "CUDA out of memory", "error_type": "OutOfMemoryError"}
        journal.append(EventName.JOB_FAILED, "boom", {**failed, "error_stack": "File a.py\n<b>"}, level=Level.ERROR)
    Image.new("RGB", (64, 64), (200, 30, 30)).save(paths.samples / "step_000004_0.png")
    (paths.checkpoints / "step_000004.safetensors").write_bytes(b"weights")
    paths.output.write_text("loading\ntraining\n")
    (paths.trainer / "config.yaml").write_text("steps: 4\n")
    (paths.trainer / "optimizer.pt").write_bytes(b"\x80\x02")
    for service in ("api", "worker"):
        folder = settings.paths.service_logs(service)
        folder.mkdir(parents=True)
        lines = [json.dumps({"msg": f"{service} {number}"}) + "\n" for number in range(1500)]
        (folder / f"{service}.log.1").write_text("".join(lines[:1200]))
        (folder / f"{service}.log").write_text("".join(lines[1200:]))
    return made


@cache
def large_png() -> bytes:
    """4 MB that cannot be packed any smaller."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (1200, 1200), os.urandom(1200 * 1200 * 3)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def unpack(pieces: Iterator[bytes]) -> dict[str, bytes]:
    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert archive.testzip() is None
    return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def test_everything_that_was_promised_is_in_it(settings: Settings, job: Job) -> None:
    found = unpack(stream_bundle(settings, job))
    assert {
        *("README.txt", "metadata.json", "events.jsonl", "environment.json", "report.html"),
        *("service_logs/api.log", "service_logs/worker.log", "samples/step_000004_0.png"),
        *("trainer/output.log", "trainer/config.yaml"),
    } == set(found)
    assert found["events.jsonl"] == settings.paths.job(job.id).journal.read_bytes()
    metadata = json.loads(found["metadata.json"])
    assert metadata["job"]["id"] == job.id
    assert metadata["job"]["status"] == "failed"
    assert metadata["weights"] == [{"name": "step_000004.safetensors", "size_bytes": 7}]
    assert [left["name"] for left in metadata["left_out"]] == ["trainer/optimizer.pt"]
    environment = json.loads(found["environment.json"])
    assert environment["packages"]["fastapi"]
    assert environment["hardware"]["cpus"] == os.cpu_count()


def test_service_logs_are_the_last_thousand_lines_across_their_rotation(settings: Settings, job: Job) -> None:
    lines = unpack(stream_bundle(settings, job))["service_logs/api.log"].splitlines()
    assert [json.loads(line)["msg"] for line in lines] == [f"api {number}" for number in range(500, 1500)]


def test_the_report_is_inert_and_tells_what_went_wrong(settings: Settings, job: Job) -> None:
    page = unpack(stream_bundle(settings, job))["report.html"].decode()
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src &#x27;none&#x27;" in page
    assert "CUDA out of memory" in page
    assert "File a.py\n&lt;b&gt;" in page
    assert "data:image/jpeg;base64," in page
    assert "<polyline" in page


def test_no_secret_is_left_in_any_corner(settings: Settings, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    given = f"zq{secrets.token_hex(12)}"
    vendor = f"hf_{secrets.token_hex(17)}"
    environment = secrets.token_hex(16)
    monkeypatch.setenv("OTHER_API_KEY", environment)
    paths = settings.paths.job(job.id)
    job_secrets.write(settings.paths.job_secrets(job.id), {"HUB_LOGIN": given})
    every = f"{given} {vendor} {base64.b64encode(given.encode()).decode()} {environment}"
    paths.output.write_text(f"token is {every}\n")
    (paths.trainer / "config.yaml").write_text(f"login: {every}\n")
    (paths.trainer / f"{vendor}.txt").write_text("named after a secret")
    log = settings.paths.service_logs("api") / "api.log"
    log.write_text(json.dumps({"msg": every, "fields": {"password": given}}) + "\n")
    # Raw, as an older version might have written it.
    with paths.journal.open("a") as file:
        file.write(json.dumps({"seq": 8, "ts": "2026-01-01T00:00:00.000000Z", "msg": every, "fields": {}}) + "\n")
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", f"a prompt, {every}")
    Image.new("RGB", (32, 32)).save(paths.samples / f"{vendor}.png", pnginfo=text)
    job.config["note"] = every
    job.error_message = every
    found = unpack(stream_bundle(settings, job, Character("char-000000000001", every, "pip", EPOCH, EPOCH)))
    for name, content in found.items():
        for secret in (given, vendor, environment, base64.b64encode(given.encode()).decode()):
            assert secret.encode() not in content, name
            assert secret not in name
    assert all(json.loads(line)["seq"] for line in found["events.jsonl"].splitlines())
    assert sum(name.startswith("samples/") for name in found) == 2


_STREAM_IT = """
import resource, sys
from pathlib import Path
from isengard.core.settings import Settings
from isengard.diagnostics.bundle import stream_bundle
from isengard.jobs.models import Job
from standins.jobs_and_characters import EPOCH
job = Job(sys.argv[2], "char-000000000001", "mock", {}, "corr", EPOCH)
size = sum(len(piece) for piece in stream_bundle(Settings(data_dir=Path(sys.argv[1])), job))
print(size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_memory_does_not_grow_with_the_job(settings: Settings, job: Job) -> None:
    def stream_it() -> tuple[int, int]:
        """Size of the bundle and peak memory of a process that does nothing else."""
        argv = [sys.executable, "-c", _STREAM_IT, str(settings.data_dir), job.id]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        size, peak = subprocess.run(argv, env=environment, capture_output=True, check=True).stdout.split()
        return int(size), int(peak)

    small, before = stream_it()
    for number in range(24):
        (settings.paths.job(job.id).samples / f"big_{number:02d}.png").write_bytes(large_png())
    large, after = stream_it()
    assert large - small > 96 * 1024 * 1024
    assert after - before < 48 * 1024 * 1024


def test_a_job_without_a_journal_has_a_bundle_all_the_same(settings: Settings, job: Job) -> None:
    settings.paths.job(job.id).journal.unlink()
    found = unpack(stream_bundle(settings, job))
    assert found["events.jsonl"] == b""
    assert json.loads(found["metadata.json"])["job"]["id"] == job.id


def test_a_written_bundle_is_there_whole(settings: Settings, job: Job, tmp_path: Path) -> None:
    target = write_bundle(settings, job, tmp_path / "out.zip")
    assert zipfile.ZipFile(target).testzip() is None
    assert Bundle(settings, job).filename == f"{job.id}_debug.zip"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out.zip"]


def test_a_disk_that_fills_up_leaves_no_part_of_a_bundle(settings: Settings, job: Job, tmp_path: Path) -> None:
    (settings.paths.job(job.id).samples / "big.png").write_bytes(large_png())
    with small_disk(tmp_path / "disk", kibibytes=2048) as disk:
        with pytest.raises(StorageError, match="No space left"):
            write_bundle(settings, job, disk / "out.zip")
        assert list(disk.iterdir()) == []


def test_a_folder_that_does_not_exist_is_named(settings: Settings, job: Job, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        write_bundle(settings, job, tmp_path / "nowhere" / "out.zip")


def test_the_first_error_comes_with_its_stack_its_lines_and_its_cause(settings: Settings, job: Job) -> None:
    found = first_error.find(JournalReader(settings.paths.job(job.id)), around=2)
    assert found is not None
    assert (found.entry.seq, found.entry.msg, found.stack) == (7, "boom", "File a.py\n<b>")
    assert [entry.seq for entry in found.before] == [5, 6]
    assert found.after == []
    assert found.cause.code == "cuda-oom"
