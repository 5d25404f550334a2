"""Marker files by which a runner asks its trainer to stop, sample or save, and the removal of what a run leaves."""

from __future__ import annotations

import contextlib

from isengard.core.paths import JobPaths
from isengard.events import overflow


def ask(paths: JobPaths, marker: str) -> None:
    """Leave a marker file that the trainer looks for."""
    with contextlib.suppress(OSError):  # a trainer that cannot be asked is ended by signal
        (paths.requests / marker).touch()


def clear(paths: JobPaths) -> None:
    """Remove the spool and the markers, which mean something only while a run lives."""
    overflow.clear(paths.job_id)
    with contextlib.suppress(OSError):
        paths.reports.unlink(missing_ok=True)
        for marker in paths.requests.iterdir():
            marker.unlink(missing_ok=True)
