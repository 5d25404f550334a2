"""The process behind ``isengard export``: one exporter a signal, one process a signal and data folder.

A second one waits until the first has ended, so that nothing is sent twice.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from isengard.core.errors import StorageError
from isengard.core.paths import DataDir
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.core.threads import in_thread
from isengard.journal import service_log
from isengard.telemetry.exporter import Exporter
from isengard.telemetry.signals import Signal

log = logging.getLogger(__name__)


def run(settings: Settings, signals: Sequence[Signal]) -> None:
    """Export until SIGTERM or SIGINT."""
    settings.paths.prepare()
    redactor = Redactor.configured(os.environ, settings.redact_patterns)
    service_log.configure_for("export", settings, redactor)
    asyncio.run(_live(settings.paths, signals))


async def _live(data: DataDir, signals: Sequence[Signal]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with ExitStack() as held:
        if not await _take_all(data, signals, held, stop):
            return
        log.info("exporting %s", ", ".join(each.name for each in signals))
        async with asyncio.TaskGroup() as group:
            for each in signals:
                group.create_task(Exporter(data, each).run(stop))


async def _take_all(data: DataDir, signals: Sequence[Signal], held: ExitStack, stop: asyncio.Event) -> bool:
    """Wait for the right to export each of `signals`; False if it was told to end before."""
    for each in signals:
        taking = asyncio.ensure_future(in_thread(held.enter_context, _lock(data, each)))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait([taking, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not taking.done():
            return False
        taking.result()
    return True


@contextmanager
def _lock(data: DataDir, exported: Signal) -> Iterator[None]:
    path = data.run / f"export-{exported.carrier}.lock"
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("another process exports %s of this folder; waiting for its end", exported.name)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
