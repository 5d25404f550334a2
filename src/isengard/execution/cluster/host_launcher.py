"""Starts runs on this host for a site elsewhere: takes ``runner.lock``; `begin.py` fetches and runs. Never waits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

from isengard.core.errors import StorageError
from isengard.core.settings import Settings
from isengard.execution import runner_lock
from isengard.execution.cluster import outpost
from isengard.execution.launcher_local import Runner, runner_log
from isengard.jobs.models import Character, Job


class HostLauncher:
    """Launches runs of one host.

    Args:
        bind: Called in the new process before its program starts; None for nothing.
    """

    def __init__(self, settings: Settings, bind: Callable[[], None] | None = None) -> None:
        self._settings = settings
        self._bind = bind

    def launch(self, job: Job, character: Character) -> Runner | None:
        """Start the run of `job`'s present attempt; None if one lives here already. The site knows the character."""
        return self.start(job.id, job.attempt)

    def start(self, job_id: str, attempt: int) -> Runner | None:
        """Start a run; what an earlier run of the job left here goes.

        Raises:
            StorageError: The job's folder cannot be written.
            OSError: The process cannot be started.
        """
        outpost.ensure(self._settings)
        paths = self._settings.paths.job(job_id)
        try:
            paths.root.mkdir(parents=True, exist_ok=True)
            lock = runner_lock.take(paths)
        except OSError as error:
            raise StorageError(f"the folder of job {job_id} cannot be written: {error.strerror}") from error
        if lock is None:
            return None
        try:
            self._clear(job_id)
            return self._start(job_id, attempt, lock)
        finally:
            os.close(lock)  # the runner's copy keeps it locked

    def _clear(self, job_id: str) -> None:
        """Make room; the lock's own file stays."""
        paths = self._settings.paths.job(job_id)
        for entry in list(paths.root.iterdir()):
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry != paths.runner_lock:
                entry.unlink(missing_ok=True)
        paths.make()

    def _start(self, job_id: str, attempt: int, lock: int) -> Runner:
        paths = self._settings.paths.job(job_id)
        program = (sys.executable, "-m", "isengard.execution.cluster.begin", "--lock-fd", str(lock))
        url = self._settings.redis_url
        with runner_log(paths).open("ab") as log:
            popen = subprocess.Popen(
                (*program, "--data-dir", str(self._settings.data_dir), job_id, str(attempt)),
                env={**os.environ, "ISENGARD_REDIS_URL": url.get_secret_value() if url else ""},
                cwd=self._settings.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
                preexec_fn=self._bind,  # noqa: PLW1509 - one system call, bound before the fork
            )
        return Runner(popen)
