"""The trainer's process as its runner sees it: started, listened to, asked to stop, ended with everything it started.

A stop takes at most two grace periods: the marker file ``stop``, then SIGTERM to the group, then SIGKILL to the group,
to whatever carries the run's mark and to every descendant.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from isengard.events.models import EventName, Level
from isengard.events.reports import ENV_RUN
from isengard.execution import endings, process, streams
from isengard.execution.echo import RawLog
from isengard.execution.recorder import Recorder
from isengard.execution.streams import StreamReader
from isengard.trainers.base import Launch
from isengard.trainers.tracebacks import Traceback

_LAST_OUTPUT_S = 2.0


class Child:
    """A started trainer.

    Args:
        popen: The process.
        readers: Its output streams.
        log: Where their bytes go; closed with them.
        run_mark: The value of ``ISENGARD_RUN`` in its environment.
    """

    def __init__(self, popen: subprocess.Popen[bytes], readers: list[StreamReader], log: RawLog, run_mark: str) -> None:
        self.pid = popen.pid
        self.readers = readers
        self.started = time.monotonic()
        self._log = log
        self._popen = popen
        self._mark = run_mark

    async def wait(self) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        return await asyncio.to_thread(self._popen.wait)

    @property
    def has_ended(self) -> bool:
        """Whether it is gone and waited for: its process id may belong to somebody else by now."""
        return self._popen.returncode is not None

    @property
    def printed_stack(self) -> Traceback | None:
        """The last traceback on its output, stderr before stdout."""
        found = (reader.lines.tracebacks.last for reader in reversed(self.readers))
        return next((stack for stack in found if stack is not None), None)

    async def end(self, recorder: Recorder, grace_s: float) -> None:
        """After the stop marker: SIGTERM after `grace_s` seconds, SIGKILL after as many again. Runs until cancelled."""
        await asyncio.sleep(grace_s)
        recorder.log(f"the trainer did not stop within {grace_s:g} s; sending SIGTERM", Level.WARN)
        process.signal_group(self.pid, signal.SIGTERM)
        await asyncio.sleep(grace_s)
        recorder.log(f"the trainer survived SIGTERM for {grace_s:g} s; sending SIGKILL", Level.WARN)
        await self.kill()

    def final_code(self, exit_code: int) -> int:
        """What the run's exit code is: its own."""
        return exit_code

    def tell_exit(self, recorder: Recorder, exit_code: int) -> None:
        """Journal how it ended."""
        duration = round(time.monotonic() - self.started, 3)
        fields = {"exit_code": exit_code, "duration_s": duration, "attempt": recorder.attempt}
        level = Level.INFO if exit_code == 0 else Level.WARN
        recorder.outbox.put(EventName.SUBPROCESS_EXIT, endings.describe(exit_code), fields, level)

    async def strike(self) -> None:
        """End it at once."""
        await self.kill()

    async def kill(self) -> tuple[int, list[int]]:
        """SIGKILL everything of the run; how many processes that ended, and which would not go."""
        return await asyncio.to_thread(self._kill_all)

    async def finish_output(self) -> None:
        """Read the last of the output; a survivor that holds a stream open is not waited for longer than 2 s."""
        waiting = [asyncio.ensure_future(reader.closed()) for reader in self.readers]
        _, pending = await asyncio.wait(waiting, timeout=_LAST_OUTPUT_S)
        for task in pending:
            task.cancel()
        for reader in self.readers:
            reader.close()
        self._log.close()

    def _kill_all(self) -> tuple[int, list[int]]:
        known = set(self._all())  # before the first signal: the dead are no longer found
        process.signal_group(self.pid, signal.SIGKILL)
        return process.kill_all(self._all, signalled=known)

    def _all(self) -> Iterable[int]:
        # The direct child is ended by the signal to its group and reaped by `wait`, which needs its exit code.
        return {*process.marked(self._mark), *process.descendants(os.getpid())} - {self.pid}


def start(
    launch: Launch, env: Mapping[str, str], workdir: Path, run_mark: str
) -> tuple[subprocess.Popen[bytes], dict[str, int]]:
    """Start a trainer; the process and the reading end of each of its streams. Raises OSError."""
    ours: dict[str, int] = {}
    theirs: list[int] = []
    try:
        if launch.terminal:
            ours["stdout"], end = streams.terminal()
            theirs = [end, end]
        else:
            for name in ("stdout", "stderr"):
                ours[name], end = streams.pipe()
                theirs.append(end)
        popen = process.start(
            launch.argv,
            env={**env, ENV_RUN: run_mark},
            cwd=launch.cwd or workdir,
            stdout=theirs[0],
            stderr=theirs[1],
        )
    except BaseException:
        for descriptor in ours.values():
            os.close(descriptor)
        raise
    finally:
        for descriptor in set(theirs):
            os.close(descriptor)
    return popen, ours
