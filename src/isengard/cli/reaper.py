"""Collects dead processes that nobody else waits for: orphans end up with process 1, in a container with us.

A runner outlives the worker that started it and is then a child of process 1. Without an init in the container that is
`isengard up`; a dead one that is never collected stays in the table of processes for ever. Needs Linux's ``/proc``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path


def is_last_resort() -> bool:
    """Whether orphans come to this process."""
    return os.getpid() == 1


def collect_strangers(known: Collection[int]) -> list[int]:
    """Collect dead children of this process other than `known`, which somebody waits for; returns their pids."""
    found = []
    for pid in _dead_children():
        if pid not in known:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
                found.append(pid)
    return found


def _dead_children() -> list[int]:
    own = str(os.getpid()).encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                # The second field, the program's name, may hold anything: count from the last parenthesis.
                state, parent = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()[:2]
                if state == b"Z" and parent == own:
                    found.append(int(name))
    return found
