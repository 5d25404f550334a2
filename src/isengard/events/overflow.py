"""Where a training's reports and pictures go while the data folder cannot be written: full, read-only or away.

A folder of this user outside of it, found by the job's id by whoever writes and whoever reads. What lies there is
brought over by the job's runner; nothing there counts unless it is this user's and closed to all others.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

_PARENTS = (Path("/var/tmp"), Path("/tmp"))  # noqa: S108 - the first outlives a reboot; who owns what is in it is checked


def place(job_id: str) -> Path:
    """The job's folder; it need not exist."""
    parent = next((path for path in _PARENTS if os.access(path, os.W_OK | os.X_OK)), _PARENTS[-1])
    return parent / f"isengard-{os.getuid()}" / job_id


def spool(job_id: str) -> Path | None:
    """The spool in the job's folder, if there is one that can be trusted."""
    path = place(job_id) / "reports.jsonl"
    return path if path.is_file() and _is_ours(path.parent.parent) else None


def make(job_id: str) -> Path:
    """Make the job's folder; raises OSError where it cannot be, or where somebody else has made it."""
    folder = place(job_id)
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    if not _is_ours(folder.parent):
        raise PermissionError(f"{folder.parent} is not this user's alone")
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def fetch(job_id: str, name: str, target: Path) -> bool:
    """Bring the file called `name`, if it is there, to `target`; whether it was. Raises OSError."""
    source = place(job_id) / name
    if not (source.is_file() and _is_ours(source.parent.parent)):
        return False
    partial = target.with_name(f".partial-{target.name}")
    shutil.copyfile(source, partial)
    os.replace(partial, target)
    source.unlink()
    return True


def clear(job_id: str) -> None:
    """Remove what a run left there."""
    folder = place(job_id)
    if folder.exists() and _is_ours(folder.parent):
        shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
