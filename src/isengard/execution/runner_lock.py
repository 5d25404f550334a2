"""``runner.lock``: held for as long as a job's runner lives. Whoever launches a runner takes it and hands it over.

The lock belongs to the open file, so it passes to the runner with the inherited descriptor, without a moment in which
nobody holds it, and the kernel frees it however the runner dies. Never trusts a pid for that.
"""

from __future__ import annotations

import os

from isengard.core import locks
from isengard.core.paths import JobPaths


def take(paths: JobPaths) -> int | None:
    """The open, locked file, or None while a runner lives; raises OSError where the disk refuses."""
    return locks.take(paths.runner_lock)


def sign(descriptor: int) -> None:
    """Write this process's id into the file, for people."""
    locks.sign(descriptor, f"{os.getpid()}\n")


def is_held(paths: JobPaths) -> bool:
    """Whether a runner lives, or is just being launched."""
    return locks.is_held(paths.runner_lock)


def holder(paths: JobPaths) -> int | None:
    """The process id in the file: who holds the lock or held it last."""
    try:
        return int(paths.runner_lock.read_text())
    except (OSError, ValueError):
        return None
