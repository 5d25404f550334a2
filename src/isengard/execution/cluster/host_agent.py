"""The host's end: ships the journals of its runs, hands orders to runners, gives out files, ends dead runs, clears up.

    python -m isengard.execution.cluster.host_agent --data-dir DIR

One process a data folder, whoever starts it: a second one ends at once. It belongs to no runner and outlives them, so
what a killed run left on the disk still reaches the site. It ends by itself when nothing has been left to do for a
while. Killed, it is started again by whoever needs it and asks Redis where to go on: it remembers nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from isengard.core import locks
from isengard.core.errors import IsengardError, StartupError
from isengard.core.paths import DataDir
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings, load
from isengard.events.bus import BusUnavailable
from isengard.events.redis import RedisEventBus
from isengard.events.redis_address import close, connect
from isengard.execution.cluster import file_transfer, runs
from isengard.execution.cluster.hosted_run import HostedRun
from isengard.execution.cluster.messages import SITE, Mailbox, Message
from isengard.journal import service_log
from isengard.journal.notify import watch

log = logging.getLogger(__name__)

ROUND_S = 1.0
"""How often folders and runners are looked at."""
ALIVE_S = 2.0
"""How often the site is told that its runs are in good hands."""
LINGER_S = 30.0
"""How long it stays when there is nothing to do."""
_LISTEN_S = 1.0


class HostAgent:
    """All runs of one data folder."""

    def __init__(self, settings: Settings, client: object) -> None:
        self._settings = settings
        self._client = client
        self._bus = RedisEventBus(client)
        self._mailbox = Mailbox(client)
        self._hosted: dict[str, HostedRun] = {}
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Work until there has been nothing to do for a while."""
        beside = [asyncio.create_task(task) for task in (self._listen(), self._tell_alive(), self._watch())]
        idle_since = time.monotonic()
        try:
            while time.monotonic() - idle_since < LINGER_S:
                await self._round()
                if self._hosted:
                    idle_since = time.monotonic()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ROUND_S):
                        await self._woken.wait()
                self._woken.clear()
                for task in beside:
                    if task.done():
                        task.result()
        finally:
            for task in beside:
                task.cancel()
            for hosted in self._hosted.values():
                await hosted.leave()

    async def _round(self) -> None:
        present = await asyncio.to_thread(_runs_in, self._settings.paths)
        for channel in self._hosted.keys() - present.keys():
            await self._hosted.pop(channel).leave()
        for channel, run in present.items():
            if channel not in self._hosted:
                log.info("%s: run %s", self._settings.data_dir, channel)
                self._hosted[channel] = HostedRun(self._settings, self._bus, self._mailbox, run)
        for hosted in list(self._hosted.values()):
            try:
                await hosted.look_after()
            except (IsengardError, OSError) as error:
                log.warning("%s: %s; trying again", hosted.run.channel, error)

    async def _listen(self) -> None:
        while True:
            addresses = sorted(self._hosted)
            try:
                if not addresses:
                    await asyncio.sleep(0.2)
                    continue
                message = await self._mailbox.receive(addresses, _LISTEN_S)
                if message is not None:
                    await self._take(message)
            except BusUnavailable:
                await asyncio.sleep(ROUND_S)
            except Exception:  # whatever one message holds, the next must be read
                log.exception("a message could not be handled")

    async def _take(self, message: Message) -> None:
        hosted = self._hosted.get(message.address)
        if hosted is None:
            return
        if message.kind == "read":
            await file_transfer.give(self._mailbox, message, hosted.shared_files())
        elif message.kind == "order":
            await hosted.order(message)
        elif message.kind == "release":
            await hosted.release()
            self._woken.set()

    async def _tell_alive(self) -> None:
        while True:
            with contextlib.suppress(BusUnavailable):
                channels = [channel for channel, hosted in self._hosted.items() if not hosted.is_lost]
                if channels:
                    await self._mailbox.send(SITE, "alive", channels=channels, host=os.uname().nodename)
            await asyncio.sleep(ALIVE_S)

    async def _watch(self) -> None:
        with contextlib.suppress(IsengardError):  # no watch left to give: folders are looked at every second anyway
            async for _ in watch(_wake_file(self._settings.paths)):
                self._woken.set()
        await asyncio.Event().wait()


def wake(paths: DataDir) -> None:
    """Have the agent look at its folder now."""
    with contextlib.suppress(OSError):
        _wake_file(paths).write_bytes(b"")


def ensure(settings: Settings) -> None:
    """Start the agent of the data folder unless it runs; it is no child that has to be waited for.

    Raises:
        OSError: The process cannot be started.
    """
    descriptor = _take_lock(settings.paths)
    if descriptor is None:
        return
    os.close(descriptor)
    log_file = settings.paths.service_logs("agent") / "agent.err"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    program = [sys.executable, "-m", "isengard.execution.cluster.host_agent", "--detach"]
    with log_file.open("ab") as errors:
        starter = subprocess.Popen(
            [*program, "--data-dir", str(settings.data_dir)],
            env={**os.environ, **_address(settings)},
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
    starter.wait()


def _address(settings: Settings) -> dict[str, str]:
    return {"ISENGARD_REDIS_URL": settings.redis_url.get_secret_value()} if settings.redis_url else {}


def _wake_file(paths: DataDir) -> Path:
    return paths.run / "host_agent.wake"


def _take_lock(paths: DataDir) -> int | None:
    paths.run.mkdir(parents=True, exist_ok=True)
    descriptor = locks.take(paths.run / "agent.lock")
    if descriptor is not None:
        locks.sign(descriptor, f"{os.getpid()}\n")
    return descriptor


def _runs_in(paths: DataDir) -> dict[str, runs.RemoteRun]:
    try:
        names = sorted(os.listdir(paths.jobs))
    except FileNotFoundError:
        return {}
    found = [runs.read(paths.job(name)) for name in names if name.startswith("train-")]
    return {run.channel: run for run in found if run is not None}


def main(arguments: Sequence[str]) -> int:
    """Be the agent of a data folder; returns 0 when there was nothing (more) to do."""
    parser = argparse.ArgumentParser(prog="isengard-agent", description="Ships what runs of this data folder write.")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--detach", action="store_true", help="go on as nobody's child")
    chosen = parser.parse_args(arguments)
    if chosen.detach and os.fork():
        return 0
    settings = load(data_dir=chosen.data_dir)
    if settings.redis_url is None:
        raise StartupError("ISENGARD_REDIS_URL is not set on this host", field="redis_url")
    lock = _take_lock(settings.paths)
    if lock is None:
        return 0
    redactor = Redactor.configured(os.environ, settings.redact_patterns)
    service_log.configure_for("agent", settings, redactor)
    asyncio.run(_work(settings, settings.redis_url.get_secret_value()))
    return 0


async def _work(settings: Settings, url: str) -> None:
    client = connect(url)
    try:
        await HostAgent(settings, client).run()
    finally:
        await close(client)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
