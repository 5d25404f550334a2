"""Sees to it that a plain script's job has a runner: starts the process that makes the job, and another one if it died.

Starts processes and asks a lock; waits for nothing.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from isengard.core import locks
from isengard.core.paths import JobPaths

_LOOK_EVERY_S = 5.0


class RunnerWatch:
    """The keeper of one script's job.

    Args:
        paths: The job's folder.
        card: The script's card.
        warn: Told, once, when no runner can be started.
    """

    def __init__(self, paths: JobPaths, card: Path, warn: Callable[[str], None]) -> None:
        self._paths = paths
        self._card = card
        self._warn = warn
        self._attaching: subprocess.Popen[bytes] | None = None
        self._look_at = 0.0

    def look(self, *, now: bool = False) -> None:
        """Start somebody who makes the job and its runner, unless there is one. Looks every few seconds at most."""
        if not now and time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_EVERY_S
        code = self._attaching.poll() if self._attaching is not None else 0
        if code is None:
            return
        if code:
            self._warn(f"the job {self._paths.job_id} cannot be made (exit code {code}); it is tried again")
        with contextlib.suppress(OSError):
            if locks.is_held(self._paths.runner_lock):
                return
        self._start()

    def _start(self) -> None:
        # -P: what lies in the script's folder must not be taken for a module of ours.
        argv = [sys.executable, "-P", "-m", "isengard.execution.attach", os.fspath(self._card)]
        try:
            self._attaching = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            self._warn(f"no runner can be started now ({error.strerror}); reports are kept for one that can")
