"""Starts runs on this host for a site elsewhere: takes ``runner.lock``; `bootstrap.py` does the rest. Never waits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

from isengard.core.settings import Settings
from isengard.execution.cluster import host_agent
from isengard.execution.gpus import NOTHING_SHARED, Share
from isengard.execution.launcher_local import NO_ECHO, Echo, LocalLauncher, Runner, runner_log
from isengard.jobs.models import Character, Job


class HostLauncher(LocalLauncher):
    """Launches runs of one host."""

    def launch(self, job: Job, character: Character) -> Runner | None:
        """Start the run of `job`'s present attempt; None if one lives here already."""
        host_agent.ensure(self._settings)
        return super().launch(job, character)

    def launch_locked(
        self, job: Job, character: Character, lock: int, echo: Echo = NO_ECHO, share: Share = NOTHING_SHARED
    ) -> Runner:
        """Like `launch`, by a caller who holds the runner's lock. What the run needs is fetched from the site."""
        return begin(self._settings, job.id, job.attempt, lock, share)


def begin(
    settings: Settings,
    job_id: str,
    attempt: int,
    lock: int,
    share: Share = NOTHING_SHARED,
    bind: Callable[[], None] | None = None,
) -> Runner:
    """Start a run; what an earlier run of the job left here goes.

    Args:
        lock: The job's ``runner.lock``, open and locked.
        bind: Called in the new process before its program starts.

    Raises:
        OSError: The disk refused, or the process cannot be started.
    """
    paths = settings.paths.job(job_id)
    for entry in list(paths.root.iterdir()):
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry != paths.runner_lock:
            entry.unlink(missing_ok=True)
    paths.make()
    program = (sys.executable, "-m", "isengard.execution.cluster.bootstrap", "--lock-fd", str(lock))
    address = {"ISENGARD_REDIS_URL": settings.redis_url.get_secret_value()} if settings.redis_url else {}
    with runner_log(paths).open("ab") as log:
        popen = subprocess.Popen(
            (*program, "--data-dir", str(settings.data_dir), job_id, str(attempt)),
            env={**os.environ, **address, **share.environment()},
            cwd=settings.data_dir,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock, *share.descriptors),
            start_new_session=True,
            preexec_fn=bind,  # noqa: PLW1509 - one system call, bound before the fork
        )
    return Runner(popen)
