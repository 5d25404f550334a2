"""Makes a sample fit to be shown as soon as it is known: no secret in its name, none in its metadata. Never in pixels.

What lies in ``samples/`` is served, listed and copied as it is, so it is cleaned there and not on each of its ways out.
"""

from __future__ import annotations

import os
from pathlib import Path

from isengard.core.errors import StorageError
from isengard.core.redaction import Redactor
from isengard.core.redaction.images import scrub_image

MAX_BYTES = 256 * 1024 * 1024
"""A larger file is no picture of a training: its metadata is not looked at."""
_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
_WHOLE = 8


def clean(sample: Path, redactor: Redactor) -> Path:
    """Clean the file `sample` in its place; where it is now. Safe to call again after a failure.

    Raises:
        StorageError: The disk refused; the file is as it was.
    """
    target = sample.with_name(redactor.filename(sample.name))
    if not sample.exists():  # nothing to clean, or renamed by an earlier call
        return target
    try:
        _clean_metadata(sample, redactor)
        if target != sample:
            os.replace(sample, target)
    except OSError as error:
        raise StorageError(f"the sample {target.name} cannot be cleaned: {error.strerror}") from error
    return target


def _clean_metadata(sample: Path, redactor: Redactor) -> None:
    if sample.is_symlink() or not sample.is_file() or sample.stat().st_size > MAX_BYTES:
        return
    with sample.open("rb") as file:
        if not file.read(_WHOLE).startswith(_BEGINNINGS):
            return
        file.seek(0)
        data = file.read()
    cleaned = scrub_image(data, redactor)
    if cleaned != data:
        _put_in_place(sample, cleaned)


def _put_in_place(sample: Path, data: bytes) -> None:
    status = sample.stat()
    partial = sample.with_name(".partial-cleaned")
    partial.write_bytes(data)
    os.chmod(partial, status.st_mode & 0o777)
    os.utime(partial, ns=(status.st_atime_ns, status.st_mtime_ns))  # its age is when it was made
    os.replace(partial, sample)
