"""Wakes the worker of a data folder: touches a file that it watches. Never fails a request."""

from __future__ import annotations

import contextlib

from isengard.core.paths import DataDir


def worker(paths: DataDir) -> None:
    """Tell the worker, if there is one, to look at the queue and the inboxes now."""
    with contextlib.suppress(OSError):  # it looks by itself every few seconds anyway
        paths.run.mkdir(parents=True, exist_ok=True)
        paths.wake.write_bytes(b"")
