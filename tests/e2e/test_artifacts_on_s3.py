"""Artifacts on their way to a real S3 server, with real workers, runners and trainers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from isengard.core.redaction import Redactor
from isengard.execution import control
from isengard.execution.artifacts import ArtifactStore, open_artifacts, recovery
from isengard.execution.artifacts.multipart import PART
from isengard.execution.artifacts.store import job_key, lora_key
from isengard.execution.artifacts.uploader import Uploader
from isengard.jobs.models import Job, JobStatus
from isengard.journal import JournalWriter
from standins.private_s3 import S3Server, private_s3
from standins.workbench import Workbench, eventually, workbench

BUCKET = "team"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with private_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.make_bucket(BUCKET)
    yield server
    server.go_on()


@pytest.fixture
def bench(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    url = s3.url(BUCKET, tmp_path.name)
    monkeypatch.setenv("ISENGARD_ARTIFACTS_URL", url)
    with workbench(tmp_path / "data", artifacts_url=url) as made:
        yield made


def kept(store: ArtifactStore, *prefixes: str) -> dict[str, int]:
    return {stored.key: stored.size for prefix in prefixes for stored in store.list(prefix)}


def left(bench: Workbench, job: Job) -> dict[str, int]:
    """What the job's journal tells of and its disk holds, by key."""
    data, paths = bench.settings.paths, bench.paths(job)
    files = [paths.samples / entry.fields["sample_path"] for entry in bench.of(job, "training.sample")]
    files += [paths.checkpoints / entry.fields["checkpoint_path"] for entry in bench.of(job, "training.checkpoint")]
    files += [data.root / entry.fields["output_path"] for entry in bench.of(job, "job.completed")]
    return {path.relative_to(data.root).as_posix(): path.stat().st_size for path in files}


def uploader(bench: Workbench) -> subprocess.Popen[bytes]:
    """What delivers, in a process that can be killed by itself."""
    program = """if True:
        import asyncio, pathlib, sys
        from isengard.core.settings import load
        from isengard.execution.artifacts.uploader import Uploader
        asyncio.run(Uploader(load(data_dir=pathlib.Path(sys.argv[1]))).run())
    """
    return subprocess.Popen([sys.executable, "-c", program, str(bench.settings.data_dir)])


def test_an_outage_costs_the_training_nothing_and_the_store_no_file(bench: Workbench, s3: S3Server) -> None:
    store = open_artifacts(bench.settings)
    first = bench.submit(steps=6, sample_every_n_steps=3, checkpoint_every_n_steps=3)
    worker = bench.start_worker()
    bench.finish(first)
    folders = (job_key(first.id), "loras")
    eventually(lambda: kept(store, *folders) == left(bench, first), "everything of the first job being stored")

    s3.pause()
    second = bench.submit(steps=6, sample_every_n_steps=3, checkpoint_every_n_steps=3)
    assert bench.finish(second).status is JobStatus.COMPLETED  # nothing waited for the store
    worker.terminate()
    assert worker.wait(60) == 0  # nor does its end wait for the store
    bench.start_worker()
    s3.go_on()
    folders = (job_key(first.id), job_key(second.id), "loras")
    wanted = {**left(bench, first), **left(bench, second)}
    eventually(lambda: kept(store, *folders) == wanted, "everything of both jobs being stored")

    control.delete(bench.settings, bench.store, first.id)
    assert kept(store, job_key(first.id)) == {}
    lora = lora_key(bench.character.id, Path(bench.of(second, "job.completed")[0].fields["output_path"]).name)
    assert store.find(lora) is not None


async def test_a_deletion_during_an_outage_is_finished_after_it(bench: Workbench, s3: S3Server, tmp_path: Path) -> None:
    store = open_artifacts(bench.settings)
    job = bench.submit()
    control.cancel(bench.settings, bench.store, job.id)
    (tmp_path / "sample.png").write_bytes(b"x")
    store.put(job_key(job.id, "samples", "sample.png"), tmp_path / "sample.png")

    nowhere = SecretStr(s3.url(BUCKET).replace(str(s3.port), "9"))
    unreachable = bench.settings.model_copy(update={"artifacts_url": nowhere})
    control.delete(unreachable, bench.store, job.id)
    assert kept(store, job_key(job.id)) != {}
    assert not bench.paths(job).root.exists()
    delivering = asyncio.create_task(Uploader(bench.settings).run())
    tombstones = bench.settings.paths.jobs
    await asyncio.to_thread(
        eventually, lambda: not list(tombstones.glob(".deleted-*")), "the job's tombstone being closed"
    )
    assert kept(store, job_key(job.id)) == {}
    delivering.cancel()
    await asyncio.gather(delivering, return_exceptions=True)


def told(bench: Workbench, content: bytes) -> Job:
    """A job whose journal tells of one checkpoint with this content."""
    job = bench.submit()
    paths = bench.paths(job)
    (paths.checkpoints / "step_10.safetensors").write_bytes(content)
    (paths.checkpoints / ".state").mkdir()
    for name in ("step_10.pt", "step_05.pt"):
        (paths.checkpoints / ".state" / name).write_bytes(b"state")
    with JournalWriter.open(paths, service="runner", redactor=Redactor(), correlation_id="corr-1") as journal:
        journal.append("training.checkpoint", "", {"checkpoint_path": "step_10.safetensors", "step": 10, "attempt": 1})
        journal.append("job.cancelled", "", {"status": "cancelled", "attempt": 1})
    return job


def cut_in_mid_upload(bench: Workbench, s3: S3Server, key: str, after: int) -> None:
    """kill -9 of who delivers, as soon as the server has taken so many more parts."""
    before = len(s3.parts_taken(key))
    carrier = uploader(bench)
    eventually(lambda: len(s3.parts_taken(key)) >= before + after, f"{after} parts being taken")
    s3.pause()
    carrier.kill()
    carrier.wait()
    s3.go_on()


def test_an_upload_cut_by_kills_shows_nothing_and_goes_on_with_the_parts_that_are_missing(
    bench: Workbench, s3: S3Server
) -> None:
    store = open_artifacts(bench.settings)
    content = os.urandom(20 * PART + 17)
    job = told(bench, content)
    paths = bench.paths(job)
    key = job_key(job.id, "checkpoints", "step_10.safetensors")

    for _ in range(2):
        cut_in_mid_upload(bench, s3, key, after=2)
        assert store.find(key) is None
        assert paths.upload("artifacts").exists()
    before = s3.parts_taken(key)
    assert len(before) < 21, "the upload was over before it was cut"

    carrier = uploader(bench)
    eventually(lambda: store.find(key), "the checkpoint being stored")
    eventually(lambda: not paths.upload("artifacts").exists(), "the notes being removed")
    carrier.kill()
    carrier.wait()
    after = s3.parts_taken(key)[len(before) :]
    assert not set(before) & set(after), "parts that were there were sent again"
    assert sorted(before + after) == list(range(1, 22))
    assert s3.unfinished_uploads(BUCKET) == 0
    state = job_key(job.id, "checkpoints", ".state", "step_10.pt")
    assert set(kept(store, job_key(job.id))) == {key, state}

    # Another host, which has the journal and none of the files, goes on from it.
    for path in (paths.checkpoints / "step_10.safetensors", paths.checkpoints / ".state" / "step_10.pt"):
        path.unlink()
    assert recovery.newest(paths, store).step == 10
    assert not (paths.checkpoints / "step_10.safetensors").exists()
    assert recovery.bring_newest(paths, store).step == 10
    assert (paths.checkpoints / "step_10.safetensors").read_bytes() == content
    assert (paths.checkpoints / ".state" / "step_10.pt").read_bytes() == b"state"


def test_deleting_a_job_removes_what_its_cut_upload_has_left(bench: Workbench, s3: S3Server) -> None:
    job = told(bench, os.urandom(8 * PART))
    control.cancel(bench.settings, bench.store, job.id)
    cut_in_mid_upload(bench, s3, job_key(job.id, "checkpoints", "step_10.safetensors"), after=1)
    assert s3.unfinished_uploads(BUCKET) == 1
    control.delete(bench.settings, bench.store, job.id)
    assert s3.unfinished_uploads(BUCKET) == 0
