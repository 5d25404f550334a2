"""A report spool that never fails: what the disk refuses waits, in order, and is written when it can be.

First in memory, then, when that is much or the script ends, in the job's overflow folder (`events/overflow.py`), where
it stays from then on: the reader takes the first spool to its end and goes on there. Warns once, never raises.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from isengard.events import overflow
from isengard.events.models import EventName, Level
from isengard.events.reports import Report, ReportSpool, encode

PATIENT_BYTES = 256 * 1024
"""How much waits in memory before the overflow folder is turned to."""
MAX_BYTES = 64 * 1024 * 1024
"""How much waits in memory when that cannot be written either; beyond it, reports are counted."""
_TRY_EVERY_S = 1.0


class RetryingSpool:
    """The reports of one script; safe for several threads.

    Args:
        path: The job's spool.
        job_id: The job, for its overflow folder.
        warn: Told, once, in a sentence, that reports have to wait.
    """

    def __init__(self, path: Path, job_id: str, warn: Callable[[str], None]) -> None:
        self._path = path
        self._job_id = job_id
        self._warn = warn
        self._spool: ReportSpool | None = None
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._left_out = 0
        self._try_at = 0.0
        self._turned_away = False
        self._lock = threading.Lock()

    @property
    def is_behind(self) -> bool:
        """Whether something still waits."""
        return bool(self._waiting)

    def send(self, report: Report) -> None:
        """Take `report`: written at once, as a rule, else as soon as it can be."""
        line = encode(report)
        with self._lock:
            if self._bytes + len(line) > MAX_BYTES:
                self._left_out += 1
                return
            self._waiting.append(line)
            self._bytes += len(line)
            if len(self._waiting) == 1 or time.monotonic() >= self._try_at:
                self._write()
            if self._bytes > PATIENT_BYTES:
                self._turn_away()

    def flush(self) -> None:
        """The script ends: whatever waits is to be somewhere on a disk when this returns."""
        with self._lock:
            self._write()
            if self._waiting:
                self._turn_away()

    def _write(self) -> None:
        """Write what waits, as far as the disk takes it."""
        try:
            if self._spool is None:
                self._spool = ReportSpool(self._path)
            while self._waiting:
                self._spool.write(self._waiting[0])
                self._bytes -= len(self._waiting.popleft())
            self._tell_what_is_left_out(self._spool)
        except OSError as error:
            self._try_at = time.monotonic() + _TRY_EVERY_S
            self._warn(f"reports cannot be written now ({error.strerror}); they are kept and written later")

    def _tell_what_is_left_out(self, spool: ReportSpool) -> None:
        if self._left_out:
            message = f"{self._left_out} reports of the script were left out, because no disk took any"
            spool.write(encode(Report(EventName.LOG, {"suppressed": self._left_out}, message, Level.WARN)))
            self._left_out = 0

    def turn_away(self) -> None:
        """Go on in the overflow folder, for good."""
        with self._lock:
            self._turn_away()

    def _turn_away(self) -> None:
        if self._turned_away:
            return
        try:
            spool = ReportSpool(overflow.make(self._job_id) / "reports.jsonl")
        except OSError:
            return
        if self._spool is not None:
            self._spool.close()
        self._spool, self._turned_away = spool, True
        self._write()
