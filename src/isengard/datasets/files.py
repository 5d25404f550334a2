"""Reading and writing single files with care: never through a symbolic link, never half, never more than asked for."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from isengard.datasets.limits import Limits, Refused


def read_bounded(path: Path, limit: int) -> bytes | None:
    """Up to `limit` + 1 bytes of a regular file, None if there is none; a symbolic link is not followed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"{path.name} cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        try:
            return file.read(limit + 1)
        except OSError as error:
            raise Refused(f"{path.name} cannot be read: {error.strerror}") from error


def read_image(path: Path, limits: Limits) -> bytes:
    """The bytes of an image file; raises `Refused` if it is missing, no regular file or over the limit."""
    data = read_bounded(path, limits.image_bytes)
    if data is None:
        raise Refused(f"{path.name} is not there any more")
    if len(data) > limits.image_bytes:
        raise limits.image_too_large()
    return data


def write_atomically(target: Path, data: bytes) -> None:
    """Put `data` at `target` so that a crash leaves the old file or the new one, whole and on the disk."""
    temporary = target.with_name(f".incoming-{secrets.token_hex(8)}")
    try:
        write_durably(temporary, data)
        os.replace(temporary, target)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def write_durably(path: Path, data: bytes) -> None:
    """Make a new file with `data`, on the disk when this returns."""
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(data: bytes) -> str:
    """The SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
