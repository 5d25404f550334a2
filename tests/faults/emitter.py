"""A trainer that keeps its own record of what was acknowledged: after each report that `send` returned for, one line.

Run by the `command` trainer: ``emitter.py RECORD COUNT PAUSE_S [deaf] [forking]``. The record is written with one
`write` a line and is therefore as killable as the report itself: it never says more than was acknowledged, and at most
one report less. Once ``RECORD.enough`` exists it has emitted what it had to.

``deaf`` ignores the request to stop and SIGTERM. ``forking`` first leaves two processes behind that fork twice into
sessions of their own, the second without anything in its environment; their ids go to ``RECORD.orphans``.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from isengard.events.models import EventName
from isengard.events.reports import ENV_REPORTS, ENV_REQUESTS, Report, ReportSpool


def main(record: Path, count: int, pause_s: float, ways: list[str]) -> int:
    if "forking" in ways:
        leave_orphans(record.with_suffix(".orphans"))
    if "deaf" in ways:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    spool = ReportSpool(Path(os.environ[ENV_REPORTS]))
    stop = Path(os.environ[ENV_REQUESTS]) / "stop"
    enough = record.with_suffix(".enough")
    acknowledged = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for number in range(1, count + 1):
        fields = {"step": number, "steps_total": count, "loss": 1 / number, "emitted": number}
        spool.send(Report(EventName.TRAINING_STEP, fields))
        os.write(acknowledged, b"%d\n" % number)
        if stop.exists() and "deaf" not in ways:
            return 20
        if enough.exists():
            break
        time.sleep(pause_s)
    return 0


def leave_orphans(noted: Path) -> None:
    for environment in (dict(os.environ), {}):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                with noted.open("a") as file:
                    file.write(f"{os.getpid()}\n")
                os.execve("/bin/sleep", ["sleep", "3600"], environment)
            os._exit(0)
        os.wait()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]))
