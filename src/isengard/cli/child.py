"""One child of `isengard up`: started, waited for, started again with growing pauses. Knows not what it serves."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
SETTLED_AFTER_S = 60.0
"""A child that lived this long starts its next life with the shortest pause again."""


class Child:
    """A process of ours in a process group of its own, so that Ctrl-C in a terminal reaches only its parent.

    Args:
        arguments: What follows ``python -m isengard`` on its command line.
        descriptors: What it inherits beside the standard streams.
        on_end: Called from a thread with this child and its exit code, negative for a signal.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], descriptors: Sequence[int], on_end: Callable[[Child, int], None]
    ) -> None:
        self.name = name
        self.starts = 0
        self._argv = [sys.executable, "-P", "-m", "isengard", name, *arguments]
        self._descriptors = tuple(descriptors)
        self._on_end = on_end
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._pause_s = FIRST_PAUSE_S

    def start(self) -> None:
        """Start it; `on_end` will be called once for this start."""
        self.starts += 1
        self._started_at = time.monotonic()
        process = subprocess.Popen(
            self._argv, stdin=subprocess.DEVNULL, pass_fds=self._descriptors, process_group=0, close_fds=True
        )
        self._process = process
        threading.Thread(target=self._wait, args=(process,), name=f"wait-{self.name}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id, also of one that has ended; 0 before the first start."""
        return self._process.pid if self._process else 0

    def pause_s(self) -> float:
        """Seconds to wait before the next start, after an end nobody asked for; doubles with each early end."""
        if time.monotonic() - self._started_at >= SETTLED_AFTER_S:
            self._pause_s = FIRST_PAUSE_S
        pause, self._pause_s = self._pause_s, min(self._pause_s * 2, LONGEST_PAUSE_S)
        return pause

    def terminate(self) -> None:
        """Ask it to end; does not wait."""
        if self._process is not None:
            self._process.terminate()  # a no-op once it has been waited for

    def wait(self, timeout_s: float) -> None:
        """Wait for its end, by SIGKILL after `timeout_s`."""
        if self._process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
            return
        self._process.kill()
        self._process.wait()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        self._on_end(self, process.wait())


def describe_exit(code: int) -> str:
    """An exit code in words: ``exit code 3``, ``killed by SIGKILL``."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
