"""An S3-compatible bucket as a store of artifacts, by obstore. Credentials come from the environment, as usual.

A large file goes up in parts (`multipart.py`); S3 shows the object when the last part is confirmed, so what was
interrupted is never seen, and goes on where it was with whoever comes next.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from isengard.core.errors import NotFound, Unreachable
from isengard.execution.artifacts.atomic_write import atomic_write
from isengard.execution.artifacts.multipart import PART, MultipartUploads
from isengard.execution.artifacts.store import Stored, check_key
from isengard.execution.artifacts.upload_notes import UploadNotes

_PIECE = 256 * 1024
_LIST = 1000
_IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}


class S3Store:
    """Keeps each object in a bucket.

    Args:
        prefix: Folder in the bucket; empty for its root.
        endpoint: Address of the service; None for AWS itself.
        patience_s: How long one request, or one part of an upload, is tried again before it counts as failed.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint: str | None = None,
        region: str | None = None,
        patience_s: float,
    ) -> None:
        import obstore.store

        self.shown = f"s3://{bucket}" + (f"/{prefix}" if prefix else "")
        self._prefix = prefix
        self._parts = MultipartUploads(
            bucket, endpoint=endpoint, region=region, patience_s=patience_s, shown=self.shown
        )
        known = {"endpoint": endpoint, "region": region, "prefix": prefix or None}
        self._store = obstore.store.S3Store(
            bucket,
            client_options={
                "allow_http": bool(endpoint and endpoint.startswith("http://")),
                "connect_timeout": "5s",
                "read_timeout": "60s",
                "timeout": "24h",  # of a whole answer, however large it is; silence is what `read_timeout` ends
            },
            retry_config={
                "max_retries": max(1, round(patience_s)),
                "retry_timeout": timedelta(seconds=patience_s),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=10),
                    "base": 2,
                },
            },
            **{name: value for name, value in known.items() if value is not None},
        )

    def find(self, key: str) -> Stored | None:
        """The object `key`, None if there is none."""
        try:
            with self._asking():
                return _stored(self._store.head(check_key(key)), key)
        except NotFound:
            return None

    def list(self, prefix: str) -> Iterator[Stored]:
        """The objects below `prefix`, in the order of their keys."""
        with self._asking():
            for page in self._store.list(check_key(prefix), chunk_size=_LIST):
                yield from (_stored(found, str(found["path"])) for found in page)

    def read(self, key: str, part: range) -> Iterator[bytes]:
        """Some bytes of an object, in pieces as they come."""
        if not part:
            return
        with self._asking():
            answer = self._store.get(check_key(key), options={"range": (part.start, part.stop)})
            for piece in answer.stream(min_chunk_size=_PIECE):
                yield bytes(piece)

    def put(self, key: str, path: Path, notes: Path | None = None) -> Stored:
        """Upload the file, in parts if it is large."""
        size, headers = path.stat().st_size, _headers(path.name)
        if size > PART:
            full = "/".join(filter(None, (self._prefix, check_key(key))))
            named = {name.replace("-", ""): value for name, value in headers.items()}
            self._parts.put(full, path, named, UploadNotes(notes))
        with self._asking():
            if size <= PART:
                self._store.put(check_key(key), path, attributes=headers, use_multipart=False)
            return _stored(self._store.head(key), key)

    def abandon(self, notes: Path) -> None:
        """Have the parts of an interrupted upload removed."""
        self._parts.abandon(UploadNotes(notes))

    def fetch(self, key: str, target: Path) -> None:
        """Download an object to `target`."""
        with self._asking():
            answer = self._store.get(check_key(key))
            with atomic_write(target) as file:
                for piece in answer.stream(min_chunk_size=_PIECE):
                    file.write(piece)

    def remove(self, key: str) -> None:
        """Remove an object."""
        with self._asking():
            self._store.delete(check_key(key))

    def remove_below(self, prefix: str) -> int:
        """Remove a folder of objects."""
        count = 0
        keys = (found.key for found in self.list(prefix))
        while batch := list(itertools.islice(keys, _LIST)):
            with self._asking():
                self._store.delete(batch)
            count += len(batch)
        return count

    def signed(self, key: str, expires_s: int) -> str | None:
        """A presigned address for GET."""
        import obstore

        with self._asking():
            return str(obstore.sign(self._store, "GET", check_key(key), timedelta(seconds=expires_s)))

    def check(self) -> None:
        """Ask for one page of the bucket's list."""
        with self._asking():
            next(iter(self._store.list(chunk_size=1)), None)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Turns the library's errors into ours; their text names the request, never a credential."""
        from obstore import exceptions

        try:
            yield
        except FileNotFoundError as error:  # the library's own, for an object
            raise NotFound(f"there is no such object in {self.shown}", field="key") from error
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise Unreachable(f"the artifact store {self.shown} refuses the credentials it was given") from error
        except exceptions.BaseError as error:
            raise Unreachable(f"the artifact store {self.shown} does not answer: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The first sentence of what the library says."""
    first = str(error).strip().splitlines()
    return (first[0] if first else type(error).__name__)[:300]


def _stored(found: Any, key: str) -> Stored:
    tag = str(found.get("e_tag") or f"{found['last_modified'].timestamp():.0f}-{found['size']}")
    return Stored(key, int(found["size"]), found["last_modified"].timestamp(), tag.strip('"'))


def _headers(name: str) -> dict[str, str]:
    """What a browser that follows a presigned address is told: pictures are shown, everything else is a download."""
    kind = _IMAGES.get(Path(name).suffix.lower())
    shown = "inline" if kind else "attachment"
    return {
        "Content-Type": kind or "application/octet-stream",
        "Content-Disposition": f"{shown}; filename*=utf-8''{quote(name, safe='')}",
        "Cache-Control": "private, no-cache",
    }
