"""What a place for artifacts can do. Two do it: a folder (`folder.py`) and an S3 bucket (`s3.py`).

An object is there whole or not at all. Keys are relative paths with ``/``; nothing here looks into an object.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from isengard.core.errors import InvalidInput
from isengard.core.paths import check_character_id, check_job_id


@dataclass(frozen=True, slots=True)
class Stored:
    """An object in a store.

    Attributes:
        size: Bytes.
        modified: When it was put there, seconds since the epoch.
        version: A short text that changes when the object does.
    """

    key: str
    size: int
    modified: float
    version: str

    @property
    def name(self) -> str:
        """The last part of its key."""
        return PurePosixPath(self.key).name


class ArtifactStore(Protocol):
    """A place for artifacts. Every method raises `Unreachable` if the place does not answer or refuses us."""

    @property
    def shown(self) -> str:
        """Its address for people, without anything secret."""
        ...

    def find(self, key: str) -> Stored | None:
        """The object `key`, None if there is none."""
        ...

    def list(self, prefix: str) -> Iterator[Stored]:
        """The objects in the folder `prefix` and the folders below it."""
        ...

    def read(self, key: str, part: range) -> Iterator[bytes]:
        """Some bytes of an object in a row, in pieces; raises `NotFound`."""
        ...

    def put(self, key: str, path: Path, notes: Path | None = None) -> Stored:
        """Store the file at `path` as `key`, over what is there; raises OSError if the file cannot be read.

        Args:
            notes: A file by which the next call goes on where this one was interrupted; without, it starts over.
        """
        ...

    def abandon(self, notes: Path) -> None:
        """Remove what the interrupted `put` with these notes has left, if one was interrupted."""
        ...

    def fetch(self, key: str, target: Path) -> None:
        """Copy an object to `target`, which is there whole or not at all; raises `NotFound`, OSError."""
        ...

    def remove(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""
        ...

    def remove_below(self, prefix: str) -> int:
        """Remove all objects in the folder `prefix` and below it; returns how many there were."""
        ...

    def signed(self, key: str, expires_s: int) -> str | None:
        """An address by which anyone can read the object for so many seconds; None where there is no such thing."""
        ...

    def check(self) -> None:
        """Raise `Unreachable` unless the place answers and lets us in."""
        ...


def check_key(key: str) -> str:
    """`key`, if it cannot lead out of a store; raises `InvalidInput`."""
    if not key or "\\" in key or "\0" in key or any(part in ("", ".", "..") for part in key.split("/")):
        raise InvalidInput(f"{key[:200]!r} is no key of an artifact", field="key")
    return key


def job_key(job_id: str, *names: str) -> str:
    """The key of something a job left; of its folder if no names are given."""
    return "/".join(("logs", "jobs", check_job_id(job_id), *names))


def lora_key(character_id: str, name: str) -> str:
    """The key of a character's finished LoRA."""
    return f"loras/{check_character_id(character_id)}/{name}"
