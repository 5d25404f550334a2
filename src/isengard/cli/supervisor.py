"""The parent of API, worker and exporter: starts them, restarts what dies, ends all. Touches no training unless told.

start   bind the port ─ start api, worker, and export where a collector is named ─ GET /health answers ─ print the URL
a child dies        pause (0.5 s, doubling to 30 s) ─ start it again; one that cannot start at all ends us: exit 2
SIGTERM, SIGHUP     end the api ─ say which trainings go on ─ end the worker ─ exit 0
Ctrl-C              the same, with two seconds for a second Ctrl-C, which cancels the trainings first
--stop-jobs         any of these cancels the trainings first
kill -9             the lifeline closes: api and worker end by themselves; trainings go on
a dead orphan       collected, where we are process 1 of a container
"""

from __future__ import annotations

import contextlib
import heapq
import http.client
import queue
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from isengard.cli import encryption, hints, reaper, running_jobs
from isengard.cli.child import Child, describe_exit
from isengard.cli.listener import url_of
from isengard.cli.parent_pipe import ParentPipe
from isengard.cli.terminal import say
from isengard.core.settings import Settings
from isengard.telemetry.endpoint import exports

SECOND_THOUGHT_S = 2.0
PATIENCE_S = 15.0
"""How long a service may take to end in good order before it is killed."""


@dataclass(frozen=True, slots=True)
class _Answered:
    """The API answered for the first time."""


@dataclass(frozen=True, slots=True)
class _Signalled:
    number: int


@dataclass(frozen=True, slots=True)
class _Ended:
    child: Child
    code: int


@dataclass(frozen=True, slots=True)
class _Died:
    """Some child has died, perhaps an orphan that came to us."""


@dataclass(frozen=True, slots=True)
class _Finished:
    """Whoever has run us for a purpose is done; `code` is to be the exit code."""

    code: int


class Companion(Protocol):
    """Something that goes on beside the services; `isengard demo` is one."""

    def begin(self, url: str) -> None:
        """The API answers at `url`; returns at once."""
        ...

    def end(self) -> None:
        """The services are about to end; returns once nothing more is printed."""
        ...


_Happening = _Answered | _Signalled | _Ended | _Died | _Finished


class Supervisor:
    """Runs until a signal ends it.

    Args:
        listener: The bound socket of the API.
        stop_jobs: Whether the end cancels running trainings.
        companion: Begun when the API answers, ended before the services are.
    """

    def __init__(
        self, settings: Settings, listener: socket.socket, *, stop_jobs: bool, companion: Companion | None = None
    ) -> None:
        self._companion = companion
        self._settings = settings
        self._url = url_of(listener, settings)
        self._stop_jobs = stop_jobs
        self._happenings: queue.SimpleQueue[_Happening] = queue.SimpleQueue()
        self._parent_pipe = ParentPipe()
        self._due: list[tuple[float, str]] = []
        place = ("--data-dir", str(settings.data_dir), "--lifeline", str(self._parent_pipe.read_end))
        port = urlsplit(self._url).port
        door = ("--host", settings.host, "--port", str(port), "--fd", str(listener.fileno()), *_tls(settings))
        self._api = Child("api", (*door, *place), (listener.fileno(), self._parent_pipe.read_end), self._note_end)
        self._worker = Child("worker", place, (self._parent_pipe.read_end,), self._note_end)
        self._children = {child.name: child for child in (self._api, self._worker)}
        if exports(settings) and not settings.remote:  # a host's lines are exported where they arrive
            self._children["export"] = Child("export", place, (self._parent_pipe.read_end,), self._note_end)

    def run(self) -> int:
        """Serve until told to end; returns the exit code."""
        with self._signals():
            for child in self._children.values():
                child.start()
            threading.Thread(target=self._knock, name="knock", daemon=True).start()
            code, number = self._watch()
            self._end(number)
        return code

    def finish(self, code: int) -> None:
        """End with exit code `code`, as if told by a signal but without a word about trainings. From any thread."""
        self._happenings.put(_Finished(code))

    def _watch(self) -> tuple[int, int]:
        """Handle what happens; returns the exit code and the signal that ended it, 0 for none."""
        while True:
            match self._next():
                case _Signalled(number):
                    return 0, number
                case _Finished(code):
                    return code, 0
                case _Ended(child, 2) if child.starts == 1:
                    return 2, 0  # it has said why
                case _Ended(child, code):
                    pause = child.pause_s()
                    self._tell(f"the {child.name} ended ({describe_exit(code)}); starting it again in {pause:g} s")
                    heapq.heappush(self._due, (time.monotonic() + pause, child.name))
                case _Died():
                    reaper.collect_strangers([child.pid for child in self._children.values()])
                case _Answered():
                    self._tell(f"Isengard is at {self._url}  (data in {self._settings.data_dir}; Ctrl-C ends it)")
                    if self._companion is not None:
                        self._companion.begin(self._url)
                case None:
                    self._children[heapq.heappop(self._due)[1]].start()

    def _next(self) -> _Happening | None:
        """The next happening, or None when a child is due to be started."""
        timeout = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
        try:
            return self._happenings.get(timeout=timeout)
        except queue.Empty:
            return None

    def _end(self, number: int) -> None:
        if self._companion is not None:
            self._companion.end()
        self._api.terminate()
        trainings = running_jobs.running(self._settings) if number else []
        if trainings and (self._stop_jobs or self._stays(trainings, number)):
            self._tell(f"cancelling {', '.join(trainings)} …")
            running_jobs.cancel(self._settings, trainings, abandon=self._signalled_again)
        for child in self._children.values():
            child.terminate()
        for child in self._children.values():
            child.wait(PATIENCE_S)
        self._parent_pipe.close()

    def _stays(self, trainings: list[str], number: int) -> bool:
        """Say which trainings go on; whether a second Ctrl-C asked to cancel them instead."""
        see, follow, end, up = (
            hints.command(words, self._settings) for words in ("jobs", "logs JOB -f", "cancel JOB", "up")
        )
        self._tell(
            f"{len(trainings)} training{'s go' if len(trainings) > 1 else ' goes'} on: {', '.join(trainings)}\n"
            f"  see:     {see}\n  follow:  {follow}\n  end:     {end}\n"
            f"  the next `{up}` takes them over again"
        )
        if number != signal.SIGINT:
            return False
        self._tell(f"  Ctrl-C again within {SECOND_THOUGHT_S:g} s cancels them")
        deadline = time.monotonic() + SECOND_THOUGHT_S
        while (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                if isinstance(self._happenings.get(timeout=left), _Signalled):
                    return True
        return False

    def _signalled_again(self) -> bool:
        """Whether another signal came: do not wait any longer."""
        with contextlib.suppress(queue.Empty):
            while True:
                if isinstance(self._happenings.get_nowait(), _Signalled):
                    return True
        return False

    def _knock(self) -> None:
        """Ask the API for its health until it answers. The socket listens already, so a request just waits."""
        address = urlsplit(self._url)
        while True:
            connection = _connection(address)
            try:
                connection.request("GET", "/health")
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                time.sleep(0.2)  # the API died over it; it is being started again
            else:
                self._happenings.put(_Answered())
                return
            finally:
                connection.close()

    def _note_end(self, child: Child, code: int) -> None:
        self._happenings.put(_Ended(child, code))

    def _note_death(self, _number: int, _frame: FrameType | None) -> None:
        self._happenings.put(_Died())

    def _note_signal(self, number: int, _frame: FrameType | None) -> None:
        self._happenings.put(_Signalled(number))  # SimpleQueue.put is reentrant, so safe in a handler

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._note_signal) for number in numbers}
        if reaper.is_last_resort():
            before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, self._note_death)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _tell(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the terminal may be gone; the services need not be
            say(text)


def _tls(settings: Settings) -> tuple[str, ...]:
    """The options that hand the certificate on."""
    return ("--tls-cert", str(settings.tls_cert), "--tls-key", str(settings.tls_key)) if settings.has_tls else ()


def _connection(address: SplitResult) -> http.client.HTTPConnection:
    host = address.hostname or ""
    if address.scheme == "https":
        return http.client.HTTPSConnection(host, address.port, context=encryption.of_this_server())
    return http.client.HTTPConnection(host, address.port)
