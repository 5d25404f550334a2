"""A thread that looks after a journal beside the training: does its work at intervals, or sooner when nudged."""

from __future__ import annotations

import threading
from collections.abc import Callable


class BackgroundTask:
    """Starts with the first `nudge` or `expect`; does the work once more when it is told to stop.

    Args:
        work: Must not raise.
        interval_s: The work is done at most so many seconds after it was expected.
    """

    def __init__(self, work: Callable[[], None], interval_s: float) -> None:
        self._work = work
        self._interval_s = interval_s
        self._nudged = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def expect(self) -> None:
        """There is something to do, in its time."""
        if self._thread is None and not self._stopping:
            self._thread = threading.Thread(target=self._run, name="journal-background", daemon=True)
            self._thread.start()

    def nudge(self) -> None:
        """There is something to do now."""
        self.expect()
        self._nudged.set()

    def _run(self) -> None:
        while not self._stopping:
            self._nudged.wait(self._interval_s)
            self._nudged.clear()
            self._work()

    def stop(self) -> None:
        """Do the work a last time, by the caller, once the thread has ended."""
        self._stopping = True
        if self._thread is not None:
            self._nudged.set()
            self._thread.join()
        self._work()
