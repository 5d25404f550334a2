"""An upload in parts that somebody else began and left, as the next one finds it: on a real S3 server."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from isengard.core.settings import Settings
from isengard.execution.artifacts import ArtifactStore, open_artifacts
from isengard.execution.artifacts.multipart import PART
from isengard.execution.artifacts.upload_notes import Begun, Sent, UploadNotes
from standins.private_s3 import S3Server, private_s3

KEY = "logs/jobs/train-aaaaaaaaaaaa/checkpoints/big.safetensors"
PREFIX = "team"
PARTS = 4


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with private_s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


class Left:
    """What a predecessor left: a file, an upload of it with its first part, and its notes."""

    def __init__(self, server: S3Server, folder: Path) -> None:
        self.server = server
        self.bucket = f"b-{os.getpid()}-{abs(hash(folder)) % 10**9}"
        server.make_bucket(self.bucket)
        keys = {"aws_access_key_id": server.access_key, "aws_secret_access_key": server.secret_key}
        self.client: Any = boto3.client("s3", endpoint_url=server.endpoint, region_name="us-east-1", **keys)
        settings = Settings(data_dir=folder / "data", artifacts_url=server.url(self.bucket, PREFIX))
        self.store: ArtifactStore = open_artifacts(settings, patience_s=1)
        self.path = folder / "big.safetensors"
        self.content = os.urandom((PARTS - 1) * PART + 99)
        self.path.write_bytes(self.content)
        self.notes = folder / "artifacts.upload"
        self._where = {"Bucket": self.bucket, "Key": f"{PREFIX}/{KEY}"}
        self.upload_id = self.client.create_multipart_upload(**self._where)["UploadId"]
        found = self.path.stat()
        begun = Begun(f"{PREFIX}/{KEY}", self.upload_id, PART, found.st_size, found.st_mtime_ns, found.st_ino)
        self._noted = UploadNotes(self.notes)
        self._noted.begin(begun)

    def send(self, number: int, *, noted: bool = True, content: bytes | None = None) -> None:
        """Send a part as the predecessor would have."""
        part = self.content[(number - 1) * PART : number * PART] if content is None else content
        given = {**self._where, "UploadId": self.upload_id, "PartNumber": number, "Body": part}
        tag = self.client.upload_part(**given)["ETag"].strip('"')
        if noted:
            self._noted.add(Sent(number, tag, hashlib.md5(part, usedforsecurity=False).hexdigest()))

    def complete(self) -> None:
        """Have it put together, and be killed before that is noted."""
        listed = self.client.list_parts(**self._where, UploadId=self.upload_id)["Parts"]
        parts = {"Parts": [{"PartNumber": each["PartNumber"], "ETag": each["ETag"]} for each in listed]}
        self.client.complete_multipart_upload(**self._where, UploadId=self.upload_id, MultipartUpload=parts)

    def abort(self) -> None:
        self.client.abort_multipart_upload(**self._where, UploadId=self.upload_id)

    def put(self) -> list[int]:
        """Upload as the next one does; the parts that were sent for it, once the object is held to the file."""
        before = len(self.server.parts_taken(KEY))
        self.store.put(KEY, self.path, self.notes)
        assert b"".join(self.store.read(KEY, range(len(self.content) + 1))) == self.path.read_bytes()
        assert self.server.unfinished_uploads(self.bucket) == 0
        assert not self.notes.exists()
        return sorted(self.server.parts_taken(KEY)[before:])


@pytest.fixture
def left(server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Left:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return Left(server, tmp_path)


def test_only_missing_parts_are_sent(left: Left) -> None:
    left.send(2)
    left.send(4)
    assert left.put() == [1, 3]


def test_a_part_that_was_taken_and_not_noted_is_not_sent_again(left: Left) -> None:
    left.send(1)
    left.send(3, noted=False)
    with left.notes.open("ab") as notes:
        notes.write(b'{"number":3,"ta')  # cut by the kill
    assert left.put() == [2, 4]


def test_a_part_that_the_server_holds_otherwise_is_sent_again(left: Left) -> None:
    left.send(1)
    left.send(2, content=os.urandom(PART))
    left.send(3, content=os.urandom(PART - 1), noted=False)
    assert left.put() == [2, 3, 4]


def test_a_file_that_was_changed_meanwhile_is_sent_whole_and_the_old_upload_given_up(left: Left) -> None:
    left.send(1)
    left.content = os.urandom(2 * PART)
    left.path.write_bytes(left.content)
    assert left.put() == [1, 2]


def test_an_upload_that_the_bucket_has_removed_starts_over(left: Left) -> None:
    left.send(1)
    left.abort()
    assert left.put() == [1, 2, 3, 4]


def test_an_upload_that_was_finished_and_not_noted_is_found_finished(left: Left) -> None:
    for number in range(1, PARTS + 1):
        left.send(number)
    left.complete()
    assert left.put() == []


def test_what_is_given_up_leaves_nothing(left: Left) -> None:
    left.send(1)
    left.store.abandon(left.notes)
    assert left.server.unfinished_uploads(left.bucket) == 0
    assert not left.notes.exists()
    left.store.abandon(left.notes)  # nothing is left to give up
