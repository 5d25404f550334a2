"""The first half of a runner's life on a host: fetch what the job needs from the site, then become the runner.

    python -m isengard.execution.cluster.bootstrap --lock-fd N --data-dir DIR train-… ATTEMPT

It holds ``runner.lock`` from its first moment and hands it on, so the job is never seen without a runner in between.
Exit code 2: nothing was begun and nothing written; the job goes back into the queue.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isengard.core.errors import Conflict, IsengardError, StartupError
from isengard.core.settings import Settings, load
from isengard.events.bus import BusUnavailable
from isengard.events.redis_address import close, connect
from isengard.execution.cluster import host_agent, job_package, runs
from isengard.execution.cluster.file_transfer import Fetcher
from isengard.execution.cluster.job_package import JobPackage
from isengard.execution.cluster.messages import SITE, Mailbox
from isengard.execution.cluster.sealing import Unsealer
from isengard.execution.launcher_local import LocalLauncher, runner_program
from isengard.trainers import jobfile

NOTHING_BEGUN = 2
PATIENCE_S = 60.0
"""How long the site is asked before the job is given back."""


def main(arguments: Sequence[str]) -> int:
    """Fetch, then turn into the runner; returns only if that did not work."""
    parser = argparse.ArgumentParser(prog="isengard-begin", description="Begins a run for a site elsewhere.")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--lock-fd", type=int, required=True)
    parser.add_argument("job_id")
    parser.add_argument("attempt", type=int)
    chosen = parser.parse_args(arguments)
    try:
        settings = load(data_dir=chosen.data_dir)
        if settings.redis_url is None:
            raise StartupError("ISENGARD_REDIS_URL is not set on this host", field="redis_url")
        packed = asyncio.run(_fetch(settings, settings.redis_url.get_secret_value(), chosen.job_id, chosen.attempt))
        environment = _write_spec(settings, packed)
    except (IsengardError, OSError, ValueError) as error:
        print(f"isengard begin: {error}", file=sys.stderr)
        return NOTHING_BEGUN
    argv = runner_program(settings, chosen.job_id, chosen.lock_fd)
    os.set_inheritable(chosen.lock_fd, True)
    return os.execve(argv[0], argv, environment)  # noqa: S606 - no shell on purpose


async def _fetch(settings: Settings, url: str, job_id: str, attempt: int) -> JobPackage:
    client = connect(url)
    mailbox = Mailbox(client)
    try:
        packed = await _ask(mailbox, job_id, attempt)
        deadline = time.monotonic() + 10 * PATIENCE_S
        identity = {"job_id": job_id, "attempt": attempt, "token": packed.run.token}
        fetcher = Fetcher(mailbox, SITE, identity, lambda: time.monotonic() < deadline)
        await job_package.unpack(settings, packed, fetcher)
    finally:
        await close(client)
    runs.write(settings.paths.job(job_id), packed.run)
    host_agent.wake(settings.paths)
    return packed


async def _ask(mailbox: Mailbox, job_id: str, attempt: int) -> JobPackage:
    deadline = time.monotonic() + PATIENCE_S
    asked, unsealer = secrets.token_hex(8), Unsealer()
    while time.monotonic() < deadline:
        try:
            question: dict[str, Any] = {"job_id": job_id, "attempt": attempt, "asked": asked, "key": unsealer.public}
            answer = await mailbox.ask(SITE, "begin", host=os.uname().nodename, **question)
        except BusUnavailable:
            await asyncio.sleep(1)
            continue
        if answer is not None and "refused" in answer.content:
            raise Conflict(f"the site refused it: {answer.content['refused']}")
        if answer is not None:
            return job_package.decode(answer.content, unsealer)
    raise Conflict(f"the site did not answer within {PATIENCE_S:.0f} s; is its worker running?")


def _write_spec(settings: Settings, packed: JobPackage) -> dict[str, str]:
    """Write ``job.json`` for the runner; the environment it gets."""
    paths = settings.paths.job(packed.job.id)
    launcher = LocalLauncher(settings)
    spec = launcher.spec(packed.job, packed.character, paths)
    jobfile.write(dataclasses.replace(spec, images=paths.root / job_package.IMAGES), paths.spec)
    return launcher.environment(packed.job)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
