"""A script that somebody else started, as its runner sees it: watched until it says that it is done, or is gone.

Its process is nobody's child here. Newer Linux kernels (6.15) tell its exit code all the same; elsewhere a script that
goes without a word is known to be gone and no more. Reads no output: that goes where its owner sent it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import time

from isengard.events.models import Level
from isengard.execution import attachment, endings
from isengard.execution.recorder import Recorder
from isengard.execution.streams import StreamReader
from isengard.trainers.base import EXIT_UNKNOWN, Attach
from isengard.trainers.host import EXIT_FAILED, EXIT_STOPPED
from isengard.trainers.tracebacks import Traceback

_LOOK_EVERY_S = 1.0
_REAPED_WITHIN_S = 3.0
_INFO = struct.Struct("=QQ11Ii")
"""``struct pidfd_info`` of <linux/pidfd.h>: mask, control group, eleven ids, exit status."""
_WITH_EXIT = 1 << 3
_PIDFD_GET_INFO = (3 << 30) | (_INFO.size << 16) | (0xFF << 8) | 11
_CODES = {"completed": 0, "failed": EXIT_FAILED, "cancelled": EXIT_STOPPED}


class Attached:
    """A followed script.

    Args:
        script: Which process.
        recorder: Hears what it reports, its farewell among it.
    """

    def __init__(self, script: Attach, recorder: Recorder) -> None:
        self.pid = script.pid
        self.readers: list[StreamReader] = []
        self.printed_stack: Traceback | None = None
        self.started = time.monotonic()
        self._script = script
        self._recorder = recorder
        self._process = _open(script)

    @property
    def has_ended(self) -> bool:
        """Whether it is gone: its process id may belong to somebody else by now."""
        return not attachment.lives(self._script)

    async def wait(self) -> int:
        """Wait until it is done with this run; its exit code if it is gone and that can be known."""
        loop = asyncio.get_running_loop()
        happened = asyncio.Event()
        self._recorder.on_farewell = happened.set
        if self._process is not None:
            loop.add_reader(self._process, happened.set)
        try:
            while not (self.has_ended or self._is_done()):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY_S):
                        await happened.wait()
                happened.clear()
        finally:
            if self._process is not None:
                loop.remove_reader(self._process)
        return await self._exit_code() if self.has_ended else EXIT_UNKNOWN

    def final_code(self, exit_code: int) -> int:
        """What its farewell and its exit say together, as a code of `trainers/host.py`."""
        farewell = self._recorder.farewell
        if farewell is None:
            return exit_code
        if farewell.implied and farewell.outcome != "cancelled" and exit_code != EXIT_UNKNOWN:
            return exit_code  # it only seemed so when it was leaving
        return _CODES[farewell.outcome]

    def tell_exit(self, recorder: Recorder, exit_code: int) -> None:
        """Journal how it ended."""
        if recorder.farewell is None:
            recorder.log(f"the script was {endings.describe(exit_code)}", Level.WARN, pid=self.pid)
        else:
            recorder.log(f"the script is done with this run: {recorder.farewell.outcome}", pid=self.pid)

    async def end(self, recorder: Recorder, grace_s: float) -> None:
        """After the stop marker: SIGINT for a person's session, SIGTERM and SIGKILL for a script; until cancelled."""
        await asyncio.sleep(grace_s)
        if self._script.interactive:
            recorder.log(f"the script did not stop within {grace_s:g} s; interrupting it", Level.WARN)
            self._signal(signal.SIGINT)
            return
        recorder.log(f"the script did not stop within {grace_s:g} s; sending SIGTERM", Level.WARN)
        self._signal(signal.SIGTERM)
        await asyncio.sleep(grace_s)
        recorder.log(f"the script survived SIGTERM for {grace_s:g} s; sending SIGKILL", Level.WARN)
        self._signal(signal.SIGKILL)

    async def strike(self) -> None:
        """End it at once; a session that a person works in is interrupted."""
        self._signal(signal.SIGINT if self._script.interactive else signal.SIGKILL)

    async def kill(self) -> tuple[int, list[int]]:
        """Nothing: what a script that others started leaves behind is not ours."""
        return 0, []

    async def finish_output(self) -> None:
        """Let go of it; there is no output to read."""
        if self._process is not None:
            os.close(self._process)
            self._process = None

    def _is_done(self) -> bool:
        """Whether it said goodbye; where that was only implied by leaving, its exit is waited for."""
        farewell = self._recorder.farewell
        return farewell is not None and not farewell.implied

    def _signal(self, number: signal.Signals) -> None:
        if not self.has_ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    async def _exit_code(self) -> int:
        """The kernel knows it once the script's own parent has collected it."""
        deadline = time.monotonic() + _REAPED_WITHIN_S
        while self._process is not None:
            code = _ask_exit_code(self._process)
            if code is not None or time.monotonic() > deadline:
                return EXIT_UNKNOWN if code is None else code
            await asyncio.sleep(0.05)
        return EXIT_UNKNOWN


def _open(script: Attach) -> int | None:
    """A descriptor of the process, where the system has such; None for one that is gone."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(script.pid)
    except OSError:
        return None


def _ask_exit_code(process: int) -> int | None:
    """The exit code, negative for a signal; None while or where the kernel does not tell."""
    buffer = bytearray(_INFO.pack(_WITH_EXIT, 0, *([0] * 11), 0))
    try:
        fcntl.ioctl(process, _PIDFD_GET_INFO, buffer)
    except OSError:
        return None
    known = _INFO.unpack(buffer)
    return os.waitstatus_to_exitcode(known[-1]) if known[0] & _WITH_EXIT else None
