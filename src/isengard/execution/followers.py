"""What a runner listens to while its trainer works: the report spool, the inbox, the trainer's observer.

Woken by changes of the files, and once a second for what no notification tells. Decides nothing; commands go to `obey`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
import traceback
from collections.abc import Callable, Iterable

from isengard.core.errors import StorageError
from isengard.core.paths import JobPaths
from isengard.events.models import EventName, Level
from isengard.events.reports import Report
from isengard.execution import inbox
from isengard.execution.inbox import InboxCommand
from isengard.execution.recorder import Recorder
from isengard.execution.spool import SpoolReader
from isengard.execution.streams import StreamReader
from isengard.trainers.base import Observer

TICK_S = 1.0
_FIGURED_OUT = (EventName.TRAINING_STEP, EventName.TRAINING_SAMPLE, EventName.TRAINING_CHECKPOINT)
"""What an observer makes out of output and files; what a program reports by itself is exact and taken instead."""
_MAX_FAULTS = 20


class Nudges:
    """Wakes the followers: something may have come.

    Attributes:
        command: Whether it may have come into the inbox, which is not looked through for every step.
    """

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self.command = True

    def of_report(self) -> None:
        """There may be a report in the spool."""
        self._woken.set()

    def of_command(self) -> None:
        """There may be a command in the inbox."""
        self.command = True
        self._woken.set()

    async def wait(self, timeout_s: float) -> None:
        """Sleep until the next nudge, for `timeout_s` at most."""
        # Not `wait_for`: before Python 3.12 it loses a cancellation that comes together with a nudge.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, timeout_s)):
                await self._woken.wait()
        self._woken.clear()


class Followers:
    """Brings what the trainer says into the journal.

    Args:
        nudges: Given by whoever watches the inbox and the spool.
        obey: Carries out a command.
        spool: Where the trainer's own reports are read.
    """

    def __init__(
        self,
        paths: JobPaths,
        recorder: Recorder,
        nudges: Nudges,
        obey: Callable[[InboxCommand], None],
        spool: SpoolReader,
    ) -> None:
        self._paths = paths
        self._recorder = recorder
        self._nudges = nudges
        self._obey = obey
        self._spool = spool
        self._observer: Observer | None = None
        self._readers: list[StreamReader] = []
        self._faults: set[str] = set()

    async def run(self) -> None:
        """Follow until cancelled."""
        next_tick = time.monotonic() + TICK_S
        while True:
            await self._nudges.wait(next_tick - time.monotonic())
            is_tick = time.monotonic() >= next_tick
            if self._nudges.command or is_tick:
                self._nudges.command = False
                self._obey_inbox()
            self.read_spool()
            if is_tick:
                next_tick = time.monotonic() + TICK_S
                self._tick()

    def observe_with(self, observer: Observer) -> None:
        """From now on `observer` reads the output and looks at the files."""
        self._observer = observer

    def listen_to(self, readers: list[StreamReader]) -> None:
        """Start reading the trainer's output."""
        self._readers = readers
        for reader in readers:
            reader.attach()

    def line(self, stream: str, text: str) -> None:
        """Show one line of output to the observer."""
        if self._observer is not None:
            self._ask(functools.partial(self._observer.line, stream, text))

    def read_spool(self) -> None:
        """Journal the new reports; when the disk refuses, the rest waits in the spool."""
        with contextlib.suppress(StorageError):
            for item in self._spool.read():
                self._recorder.report(item.report, item.number)

    async def finish(self) -> None:
        """After the trainer's end: journal the rest of what it said, however long the disk takes to take it."""
        if self._observer is not None:
            self._ask(self._observer.ended)
        while True:
            with contextlib.suppress(StorageError):
                for item in self._spool.rest():
                    self._recorder.report(item.report, item.number)
                break
            await asyncio.sleep(TICK_S)
        self._spool.close()

    def poll(self) -> None:
        """Let the observer look at the files."""
        if self._observer is not None:
            self._ask(self._observer.poll)

    def _tick(self) -> None:
        self._recorder.outbox.flush()
        if self._readers:
            self.poll()
        for reader in self._readers:
            reader.idle()

    def _obey_inbox(self) -> None:
        with contextlib.suppress(OSError):  # looked at again in a second
            for message in inbox.pending(self._paths, self._recorder.attempt):
                self._obey(message)
                inbox.done(message)

    def _ask(self, question: Callable[[], Iterable[Report]]) -> None:
        """Journal what the observer answers; one that fails is told once, and the training goes on unobserved by it."""
        try:
            reports = list(question())
        except Exception as error:  # a plugin's fault must not cost the run
            if repr(error) not in self._faults and len(self._faults) < _MAX_FAULTS:
                self._faults.add(repr(error))
                stack = traceback.format_exc()
                self._recorder.log(f"the trainer's observer failed: {error!r}", Level.WARN, stack=stack)
            return
        if reports:
            self.read_spool()
        for report in reports:
            if report.event in _FIGURED_OUT and report.event in self._recorder.own:
                continue
            try:
                self._recorder.report(report)
            except StorageError:  # it exists nowhere else, so it waits in memory
                self._recorder.outbox.put(report.event, report.msg, report.fields, report.level)
