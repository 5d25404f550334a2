"""Large files on their way into a bucket, in parts; an upload that was cut goes on with the parts that are missing.

What was begun stands in notes beside the job's journal (`upload_notes.py`). Whoever comes next asks the server which
parts it has, reads the file again and sends what is not there byte for byte. By botocore: obstore, which does the rest,
does not tell an upload's id (decision 0195). Credentials come from the environment, as for everything else.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from isengard.core.errors import Unreachable
from isengard.execution.artifacts.upload_notes import Begun, Sent, UploadNotes

PART = 8 * 1024 * 1024
"""Bytes of one part; S3 takes 10,000 of them, so 78 GiB a file at least. Larger files get larger parts."""
_MOST_PARTS = 9_000
_IN_FLIGHT = 4
_BEGINNINGS = 3
_PAUSE_S = 10.0
"""Longest mean pause between two tries of one request, by botocore's own rule."""
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_REFUSALS = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "403")


class _Gone(Exception):
    """The server does not know the upload (any more)."""


class MultipartUploads:
    """Uploads to one bucket.

    Args:
        shown: The store's address for people.
        patience_s: About how long one request is tried again before it counts as failed.
    """

    def __init__(self, bucket: str, *, endpoint: str | None, region: str | None, patience_s: float, shown: str) -> None:
        self._bucket = bucket
        self._endpoint = endpoint
        self._region = region
        self._tries = max(2, round(patience_s / _PAUSE_S))
        self._shown = shown

    def put(self, key: str, path: Path, headers: Mapping[str, str], notes: UploadNotes) -> None:
        """Upload the file at `path` as `key`; goes on with the upload that the notes tell of, if it is of this file.

        Args:
            headers: What to serve it with: ``ContentType`` and the like.

        Raises:
            Unreachable: The server does not answer, refuses us, or holds something else than was sent.
            OSError: The file cannot be read, or the notes not be kept.
        """
        for _ in range(_BEGINNINGS):
            begun = self._resumable(key, path, notes) or self._begin(key, path, headers, notes)
            try:
                self._finish(begun, path, notes)
                is_there = True
            except _Gone:
                is_there = self._is_whole(begun, notes)
            notes.forget()
            if is_there:
                return
        raise Unreachable(f"the artifact store {self._shown} forgets uploads that were begun")

    def abandon(self, notes: UploadNotes) -> None:
        """Give up the upload that the notes tell of, with the parts that are there. Raises `Unreachable`, OSError."""
        if (begun := notes.begun) is not None:
            with suppress(_Gone):
                self._ask("abort_multipart_upload", begun)
            notes.forget()

    def _resumable(self, key: str, path: Path, notes: UploadNotes) -> Begun | None:
        """The upload in the notes; one of another file, or of this one before it was changed, is given up."""
        begun = notes.begun
        if begun is not None and not (begun.key == key and begun.is_of(path)):
            self.abandon(notes)
            return None
        return begun

    def _begin(self, key: str, path: Path, headers: Mapping[str, str], notes: UploadNotes) -> Begun:
        found = path.stat()
        with self._answering():
            upload_id = self._client.create_multipart_upload(Bucket=self._bucket, Key=key, **headers)["UploadId"]
        part = max(PART, found.st_size // _MOST_PARTS)
        return notes.begin(Begun(key, upload_id, part, found.st_size, found.st_mtime_ns, found.st_ino))

    def _finish(self, begun: Begun, path: Path, notes: UploadNotes) -> None:
        """Send what is missing, have it put together and hold the whole to the file. Raises `_Gone`."""
        there = self._there(begun)
        sent: dict[int, Sent] = {}

        def see_to(number: int) -> None:
            content = _read(path, begun, number)
            md5 = hashlib.md5(content, usedforsecurity=False)
            known = notes.sent.get(number)
            tag, size = there.get(number, ("", -1))
            if size == len(content) and (tag == md5.hexdigest() or known == Sent(number, tag, md5.hexdigest())):
                sent[number] = Sent(number, tag, md5.hexdigest())
                return
            given = {"PartNumber": number, "Body": content, "ContentMD5": b64encode(md5.digest()).decode()}
            tag = _plain(self._ask("upload_part", begun, **given)["ETag"])
            sent[number] = Sent(number, tag, md5.hexdigest())
            notes.add(sent[number])

        _each(range(1, begun.parts + 1), see_to)
        in_order = [sent[number] for number in range(1, begun.parts + 1)]
        listed = [{"PartNumber": each.number, "ETag": f'"{each.tag}"'} for each in in_order]
        answer = self._ask("complete_multipart_upload", begun, MultipartUpload={"Parts": listed})
        self._hold_to(path, begun, _plain(answer.get("ETag", "")), in_order)

    def _there(self, begun: Begun) -> dict[int, tuple[str, int]]:
        """Tag and size of each part that the server has, by number. Raises `_Gone`."""
        found: dict[int, tuple[str, int]] = {}
        marker = 0
        while True:
            answer = self._ask("list_parts", begun, PartNumberMarker=marker)
            for each in answer.get("Parts", ()):
                found[int(each["PartNumber"])] = _plain(each["ETag"]), int(each["Size"])
            if not answer.get("IsTruncated"):
                return found
            marker = int(answer["NextPartNumberMarker"])

    def _hold_to(self, path: Path, begun: Begun, tag: str, parts: list[Sent]) -> None:
        """Raise `Unreachable`, with the object removed, unless it is the file.

        Most servers' tag of an object in parts is the MD5 of its parts' MD5s; where it is something else (encrypted
        buckets), the object is read back.
        """
        if tag == _tag_of(parts):
            return
        with self._answering():
            body = self._client.get_object(Bucket=self._bucket, Key=begun.key)["Body"]
            stored = [hashlib.md5(piece, usedforsecurity=False).hexdigest() for piece in body.iter_chunks(begun.part)]
        if stored != [each.md5 for each in parts]:
            with self._answering():
                self._client.delete_object(Bucket=self._bucket, Key=begun.key)
            raise Unreachable(f"the artifact store {self._shown} holds {path.name} damaged; it is sent again")

    def _is_whole(self, begun: Begun, notes: UploadNotes) -> bool:
        """Whether an upload that the server knows no more was finished: a kill came before that was noted."""
        if len(notes.sent) < begun.parts:
            return False
        from botocore import exceptions

        try:
            found = self._client.head_object(Bucket=self._bucket, Key=begun.key)
        except exceptions.ClientError:
            return False
        return _plain(found["ETag"]) == _tag_of([notes.sent[number] for number in sorted(notes.sent)])

    def _ask(self, what: str, begun: Begun, **given: Any) -> dict[str, Any]:
        with self._answering():
            answer = getattr(self._client, what)(Bucket=self._bucket, Key=begun.key, UploadId=begun.upload_id, **given)
        return dict(answer)

    @cached_property
    def _client(self) -> Any:
        import botocore.config
        import botocore.session

        session = botocore.session.get_session()
        region = self._region or os.environ.get("AWS_REGION") or session.get_config_variable("region") or "us-east-1"
        return session.create_client(
            "s3",
            region_name=region,
            endpoint_url=self._endpoint,
            verify=_trusted(),
            config=botocore.config.Config(
                connect_timeout=5,
                read_timeout=60,
                retries={"mode": "standard", "total_max_attempts": self._tries},
                max_pool_connections=4 * _IN_FLIGHT,
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",  # not every server knows the newer ones; MD5 they all do
                response_checksum_validation="when_required",
            ),
        )

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Turns the library's errors into ours; their text names the request, never a credential."""
        from botocore import exceptions

        try:
            yield
        except exceptions.ClientError as error:
            self._refused(error)
        except exceptions.NoCredentialsError as error:
            raise Unreachable(f"the artifact store {self._shown} needs credentials and has none") from error
        except exceptions.BotoCoreError as error:
            raise Unreachable(f"the artifact store {self._shown} does not answer: {str(error)[:300]}") from error

    def _refused(self, error: Any) -> NoReturn:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code == "NoSuchUpload":
            raise _Gone from error
        if code in _REFUSALS:
            raise Unreachable(f"the artifact store {self._shown} refuses the credentials it was given") from error
        raise Unreachable(f"the artifact store {self._shown} does not answer: {str(error)[:300]}") from error


def _each(numbers: range, work: Callable[[int], None]) -> None:
    """Do the work for each number, a few at a time; raises the first failure. Nobody has to wait for these threads."""
    left = iter(numbers)
    turn = threading.Lock()
    failures: list[BaseException] = []

    def run() -> None:
        while not failures:
            with turn:
                number = next(left, None)
            if number is None:
                return
            try:
                work(number)
            except BaseException as error:  # handed to whoever waits
                failures.append(error)

    threads = [threading.Thread(target=run, name="part", daemon=True) for _ in range(min(_IN_FLIGHT, len(numbers)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _read(path: Path, begun: Begun, number: int) -> bytes:
    """A part of the file. Raises OSError; FileNotFoundError also if it is shorter by now: it is not that file."""
    with path.open("rb") as file:
        file.seek((number - 1) * begun.part)
        content = file.read(begun.part)
    if len(content) != min(begun.part, begun.size - (number - 1) * begun.part):
        raise FileNotFoundError(f"{path.name} was cut while it was stored")
    return content


def _trusted() -> str | None:
    """Certificates that this machine trusts, for servers with one of their own; None for the library's own choice."""
    named = (os.environ.get("AWS_CA_BUNDLE"), ssl.get_default_verify_paths().cafile, *_BUNDLES)
    return next((path for path in named if path and Path(path).is_file()), None)


def _tag_of(parts: list[Sent]) -> str:
    """What most servers call an object of these parts."""
    digests = b"".join(bytes.fromhex(each.md5) for each in parts)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _plain(tag: str) -> str:
    return tag.strip('"')
