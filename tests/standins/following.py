"""Feeds an observer from a real process, as the runner does: both streams, redraws split, files looked at."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
from collections.abc import Callable, Iterator

from isengard.events.models import EventName
from isengard.events.reports import Report
from isengard.trainers.base import Ending, Launch, Observer, Verdict

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Followed:
    """A process that was followed to its end.

    Args:
        between: Called after every line with the reports so far; returns whether a stop has been requested.
    """

    def __init__(
        self, launch: Launch, observer: Observer, environment: dict[str, str], between: Callable[[list[Report]], bool]
    ) -> None:
        self.reports: list[Report] = []
        process = subprocess.Popen(
            launch.argv,
            cwd=launch.cwd,
            env=os.environ | dict(launch.env) | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        stopped = False
        for stream, line in _lines(process):
            self.reports += observer.line(stream, line)
            self.reports += observer.poll()
            stopped = between(self.reports)
        self.exit_code = process.wait()
        self.reports += observer.ended()
        self.verdict: Verdict = observer.verdict(Ending(self.exit_code, stop_requested=stopped))

    def of(self, event: EventName) -> list[Report]:
        """The reports of one kind."""
        return [report for report in self.reports if report.event is event]

    def steps(self) -> list[int]:
        """The numbers of the reported steps."""
        return [report.fields["step"] for report in self.of(EventName.TRAINING_STEP)]


def _lines(process: subprocess.Popen[bytes]) -> Iterator[tuple[str, str]]:
    rest = {"stdout": b"", "stderr": b""}
    with selectors.DefaultSelector() as selector:
        for name in rest:
            selector.register(getattr(process, name), selectors.EVENT_READ, name)
        while selector.get_map():
            for key, _ in selector.select():
                if not (chunk := os.read(key.fd, 4096)):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                *lines, rest[key.data] = re.split(rb"[\r\n]+", rest[key.data] + chunk)
                yield from ((key.data, _ANSI.sub("", line.decode())) for line in lines if line)
    yield from ((name, _ANSI.sub("", line.decode())) for name, line in rest.items() if line)
