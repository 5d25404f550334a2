"""Files that are locked for as long as somebody lives. The kernel frees a lock however its holder dies, so no process
id is trusted. A lock belongs to the open file: a child that inherits the descriptor holds it too.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def take(path: Path) -> int | None:
    """The open file, locked exclusively, or None while somebody else holds it. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def waiting_for(path: Path) -> Iterator[None]:
    """Hold the file for as long as the body runs, after whoever holds it now. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sign(descriptor: int, holder: str) -> None:
    """Write who holds it into the file that `take` gave, for people. Raises OSError."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, holder.encode(), 0)


def is_held(path: Path) -> bool:
    """Whether the file is locked exclusively; False when there is no such file. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
