"""What every store of artifacts promises, tried on a folder and on a real S3 server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from isengard.core.errors import InvalidInput, NotFound, StartupError, Unreachable
from isengard.core.settings import Settings
from isengard.execution.artifacts import ArtifactStore, open_artifacts
from isengard.execution.artifacts.store import job_key
from standins.private_s3 import S3Server, private_s3

JOB = "train-aaaaaaaaaaaa"


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with private_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def in_bucket(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArtifactStore:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    bucket = f"b-{os.getpid()}-{abs(hash(tmp_path)) % 10**9}"
    s3.make_bucket(bucket)
    return open_artifacts(Settings(data_dir=tmp_path / "data", artifacts_url=s3.url(bucket)), patience_s=1)


@pytest.fixture
def in_folder(tmp_path: Path) -> ArtifactStore:
    (tmp_path / "share").mkdir()
    return open_artifacts(Settings(data_dir=tmp_path / "data", artifacts_url=f"file://{tmp_path}/share"))


@pytest.fixture(params=["in_folder", "in_bucket"])
def store(request: pytest.FixtureRequest) -> ArtifactStore:
    found: ArtifactStore = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def make(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return make


def test_what_was_put_is_found_listed_and_read(store: ArtifactStore, file: Callable[[str, bytes], Path]) -> None:
    key = job_key(JOB, "samples", "step 50 ü#?.png")
    assert store.find(key) is None
    stored = store.put(key, file("a.png", b"0123456789"))
    assert (stored.key, stored.size) == (key, 10)
    assert store.find(key) == stored
    assert list(store.list(job_key(JOB))) == [stored]
    assert list(store.list(job_key("train-bbbbbbbbbbbb"))) == []
    assert b"".join(store.read(key, range(10))) == b"0123456789"
    assert b"".join(store.read(key, range(3, 7))) == b"3456"
    assert b"".join(store.read(key, range(4, 4))) == b""


def test_a_large_file_comes_back_byte_for_byte(
    store: ArtifactStore, file: Callable[[str, bytes], Path], tmp_path: Path
) -> None:
    content = os.urandom(20 * 1024 * 1024 + 17)  # three parts
    key = job_key(JOB, "checkpoints", "big.safetensors")
    store.put(key, file("big", content))
    store.fetch(key, tmp_path / "deep" / "back")
    assert (tmp_path / "deep" / "back").read_bytes() == content
    assert os.listdir(tmp_path / "deep") == ["back"]


def test_putting_again_replaces_and_changes_the_version(
    store: ArtifactStore, file: Callable[[str, bytes], Path]
) -> None:
    key = job_key(JOB, "checkpoints", "last.safetensors")
    first = store.put(key, file("one", b"one"))
    second = store.put(key, file("two", b"twotwo"))
    assert first.version != second.version
    assert b"".join(store.read(key, range(6))) == b"twotwo"


def test_a_folder_is_removed_with_all_below_and_nothing_beside(
    store: ArtifactStore, file: Callable[[str, bytes], Path]
) -> None:
    path = file("x", b"x")
    for name in ("a", "b", "deep/c"):
        store.put(job_key(JOB, "samples", *name.split("/")), path)
    store.put(job_key(JOB + "b", "samples", "a"), path)
    assert store.remove_below(job_key(JOB)) == 3
    assert store.remove_below(job_key(JOB)) == 0
    assert [found.key for found in store.list("logs")] == [job_key(JOB + "b", "samples", "a")]
    store.remove(job_key(JOB + "b", "samples", "a"))
    store.remove(job_key(JOB + "b", "samples", "a"))
    assert list(store.list("logs")) == []


def test_what_is_not_there_is_said_so(store: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        store.fetch("loras/none", tmp_path / "back")
    with pytest.raises(NotFound):
        list(store.read("loras/none", range(3)))
    with pytest.raises(FileNotFoundError):
        store.put("loras/none", tmp_path / "not-there")
    assert not (tmp_path / "back").exists()
    store.check()


@pytest.mark.parametrize("key", ["", "/etc/passwd", "a/../../b", "a//b", "a/./b", "a\\b", "a\0b", ".."])
def test_no_key_leads_out(store: ArtifactStore, key: str) -> None:
    with pytest.raises(InvalidInput):
        store.find(key)


def test_a_presigned_address_is_read_by_anyone_and_saved_under_its_name(
    in_bucket: ArtifactStore, in_folder: ArtifactStore, file: Callable[[str, bytes], Path]
) -> None:
    key = job_key(JOB, "checkpoints", "step_100.safetensors")
    in_bucket.put(key, file("step_100.safetensors", b"weights"))
    address = in_bucket.signed(key, 60)
    assert address is not None
    answer = httpx.get(address, headers={"Range": "bytes=2-4"}, timeout=60)
    assert (answer.status_code, answer.content) == (206, b"igh")
    assert "attachment" in answer.headers["content-disposition"]
    assert in_folder.signed(key, 60) is None


def test_a_place_that_does_not_answer_is_one_error_that_names_it_and_no_secret(
    s3: S3Server, tmp_path: Path, in_bucket: ArtifactStore
) -> None:
    nowhere = s3.url("b").replace(str(s3.port), "9")
    for url, words in ((nowhere, "s3://b/team/a"), (f"file://{tmp_path}/unmounted", "unmounted")):
        lost = open_artifacts(Settings(data_dir=tmp_path, artifacts_url=url), patience_s=0.2)
        with pytest.raises(Unreachable) as raised:
            lost.check()
        assert words in raised.value.detail
        assert s3.secret_key not in raised.value.detail
        assert s3.access_key not in raised.value.detail


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://bucket/x", "has to begin with s3://"),
        ("s3://key:value@bucket/x", "credentials do not belong into it"),
        ("s3:///x", "a bucket is written"),
        ("s3://bucket?endpoint=localhost:9000", "endpoint has to begin with http"),
        ("s3://bucket?colour=red", "'colour' is not known"),
        ("file://relative/path", "file:///absolute/path"),
    ],
)
def test_an_address_that_makes_no_sense_is_one_clear_line(url: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="ISENGARD_ARTIFACTS_URL: ") as raised:
        open_artifacts(Settings(data_dir=tmp_path, artifacts_url=url))
    assert words in raised.value.detail
    assert "value@" not in raised.value.detail


def test_a_share_that_is_not_mounted_is_not_made(tmp_path: Path, file: Callable[[str, bytes], Path]) -> None:
    store = open_artifacts(Settings(data_dir=tmp_path, artifacts_url=f"file://{tmp_path}/unmounted"))
    with pytest.raises(Unreachable, match="is no folder"):
        store.put(job_key(JOB, "samples", "a.png"), file("a.png", b"a"))
    assert not (tmp_path / "unmounted").exists()


def test_the_data_folder_itself_is_the_store_if_nothing_else_is_set(tmp_path: Path) -> None:
    store = open_artifacts(Settings(data_dir=tmp_path))
    sample = Settings(data_dir=tmp_path).paths.job(JOB).samples / "a.png"
    sample.parent.mkdir(parents=True)
    sample.write_bytes(b"abc")
    stored = store.put(job_key(JOB, "samples", "a.png"), sample)  # in its place already
    assert (stored.size, sample.read_bytes()) == (3, b"abc")
