"""A file system that is full at once: what ENOSPC really does, instead of a mock of it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_DETACH = 2


@contextmanager
def small_disk(place: Path, kibibytes: int) -> Iterator[Path]:
    """Mount a tmpfs of this size at `place`; skips the test where the right to mount is missing."""
    place.mkdir(parents=True)
    libc = ctypes.CDLL(None, use_errno=True)
    mount = getattr(libc, "mount", None)
    if mount is None or mount(b"tmpfs", os.fsencode(place), b"tmpfs", 0, f"size={kibibytes}k".encode()) != 0:
        pytest.skip("no right to mount a file system here")
    try:
        yield place
    finally:
        libc.umount2(os.fsencode(place), _DETACH)
