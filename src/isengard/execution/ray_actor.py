"""The actor of one run: starts the runner on the node where Ray put it and ends when that ends. Runs on Ray's nodes.

A synchronous actor: Ray calls `begin` on the process's main thread, and the runner is that thread's child with a
parent-death signal. So whatever ends the actor (a kill, the loss of its node, Ray itself) ends the runner, which ends
its trainer; the agent, which is nobody's child, then writes the end of the run and ships it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping

from isengard.core.errors import IsengardError
from isengard.core.settings import Settings, load
from isengard.execution import process, runner_lock
from isengard.execution.cluster import host_agent, host_launcher
from isengard.execution.launcher_local import Runner

_LOOK_S = 2.0


class RunActor:
    """One run.

    Args:
        environment: Settings of the site; those of the node come first.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        for name, value in environment.items():
            os.environ.setdefault(name, value)

    def begin(self, job_id: str, attempt: int) -> str:
        """Start the run; empty, or why it could not be started. The actor ends with it, or at once."""
        try:
            settings = load()
            settings = load(data_dir=settings.host_data_dir)
            settings.paths.prepare()
            runner = _start(settings, job_id, attempt)
        except (IsengardError, OSError) as error:
            self._leave()
            return str(error)
        threading.Thread(target=self._stay, args=(settings, runner), daemon=True).start()
        return ""

    def _stay(self, settings: Settings, runner: Runner) -> None:
        """Keep the agent alive for as long as the runner lives, then give the node's resources back."""
        while runner.exit_code() is None:
            _ensure_outpost(settings)
            time.sleep(_LOOK_S)
        _ensure_outpost(settings)
        os.kill(os.getpid(), signal.SIGTERM)

    def _leave(self) -> None:
        threading.Timer(_LOOK_S, os.kill, (os.getpid(), signal.SIGTERM)).start()


def _start(settings: Settings, job_id: str, attempt: int) -> Runner:
    paths = settings.paths.job(job_id)
    paths.root.mkdir(parents=True, exist_ok=True)
    host_agent.ensure(settings)
    lock = runner_lock.take(paths)
    if lock is None:
        raise IsengardError(f"job {job_id} has a runner on this node already")
    try:
        return host_launcher.begin(settings, job_id, attempt, lock, bind=process.die_with_parent())
    finally:
        os.close(lock)


def _ensure_outpost(settings: Settings) -> None:
    try:
        host_agent.ensure(settings)
    except OSError as error:
        print(f"isengard: the agent cannot be started: {error}", file=sys.stderr)
