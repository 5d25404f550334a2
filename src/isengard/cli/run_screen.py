"""What `isengard run` shows: the command's own output as it comes, and a live bar below it where somebody looks.

Into a file or a pipe the output goes byte by byte as the command wrote it, stdout and stderr apart. On a terminal its
lines scroll above the bar, colours kept; the line that the command is redrawing stands under it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from isengard.cli.progress import Bar, bar_columns

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from isengard.journal import Entry, JobFold

_READ_BYTES = 65_536
_MAX_LINE = 65_536

Take = Callable[[bytes], None]


class Screen:
    """The reading ends of what the runner echoes, and where it goes.

    Args:
        reading: One end for stdout, one for stderr.
        writing: The other ends, for the runner.
    """

    def __init__(self, reading: tuple[int, int], writing: tuple[int, int]) -> None:
        self._reading = reading
        self.writing_ends = writing

    @classmethod
    def open(cls) -> Screen:
        """Make the pipes."""
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        return cls((out, err), (out_end, err_end))

    def let_go_of_writing_ends(self) -> None:
        """The runner has them now."""
        for end in self.writing_ends:
            os.close(end)

    @contextmanager
    def showing(self, job_id: str, also: Callable[[Entry], None]) -> Iterator[Shown]:
        """Show the output until all of it has come; yields what shows the job's state. `also` gets every entry."""
        with _live(job_id) as live:
            threads = [
                threading.Thread(target=_copy, args=(end, take), daemon=True)
                for end, take in zip(self._reading, live.takers(), strict=True)
            ]
            for thread in threads:
                thread.start()
            yield Shown(live, also)
            for thread in threads:
                thread.join(timeout=5.0)  # the runner closes its ends before its last line; a hung-up one does not


class Shown:
    """Shows how the job stands."""

    def __init__(self, live: Quiet | Live, also: Callable[[Entry], None]) -> None:
        self._live = live
        self._also = also

    def show(self, fold: JobFold, entry: Entry) -> None:
        """Show the job after `entry`."""
        self._also(entry)
        self._live.show(fold, entry)


class Quiet:
    """No terminal: the output and nothing else."""

    def takers(self) -> tuple[Take, Take]:
        """Where the bytes of stdout and stderr go."""
        return _pass_on(1), _pass_on(2)

    def show(self, fold: JobFold, entry: Entry) -> None:
        """Nothing: what is piped is the command's."""


class Live:
    """A bar on stderr; output that goes to the same terminal scrolls above it."""

    def __init__(self, console: Console, bar: Bar, below: Text) -> None:
        self._console = console
        self._bar = bar
        self._below = below

    def takers(self) -> tuple[Take, Take]:
        """Where the bytes of stdout and stderr go."""
        out = Scroll(self._console, self._below).take if sys.stdout.isatty() else _pass_on(1)
        return out, Scroll(self._console, self._below).take

    def show(self, fold: JobFold, entry: Entry) -> None:
        """Bring the bar up to date."""
        self._bar.show(fold, entry)


class Scroll:
    """Lines of a stream above the bar; the line that is being redrawn below it.

    Args:
        below: Shows the present frame of an unfinished line.
    """

    def __init__(self, console: Console, below: Text) -> None:
        self._console = console
        self._below = below
        self._pending = b""

    def take(self, data: bytes) -> None:
        """Show the next bytes; none at all end the stream."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            self._print(line)
        if not data and self._pending:
            self._print(self._pending)
            self._pending = b""
        if len(self._pending) > _MAX_LINE:
            self._pending = self._pending[-_MAX_LINE:]
        self._below.plain = self._frame(self._pending).plain

    def _print(self, line: bytes) -> None:
        self._console.print(self._frame(line), soft_wrap=True)

    def _frame(self, line: bytes) -> Text:
        """What a line shows at last: of redraws the newest that is not empty."""
        from rich.text import Text

        frames = [frame for frame in line.split(b"\r") if frame.strip()]
        return Text.from_ansi(frames[-1].decode("utf-8", "replace")) if frames else Text()


@contextmanager
def _live(job_id: str) -> Iterator[Quiet | Live]:
    if not sys.stderr.isatty():
        yield Quiet()
        return
    from rich.console import Console, Group
    from rich.live import Live as RichLive
    from rich.progress import Progress
    from rich.text import Text

    console = Console(stderr=True)
    progress = Progress(*bar_columns(), console=console)
    below = Text(style="dim", no_wrap=True, overflow="ellipsis")
    with RichLive(Group(progress, below), console=console, refresh_per_second=8, redirect_stdout=False) as live:
        yield Live(console, Bar(progress, job_id), below)
        live.update(progress)


def _copy(end: int, take: Take) -> None:
    """Read a pipe to its end; an empty piece tells that it is there."""
    with contextlib.suppress(OSError):
        while data := os.read(end, _READ_BYTES):
            take(data)
    take(b"")
    os.close(end)


def _pass_on(descriptor: int) -> Take:
    def write(data: bytes) -> None:
        with contextlib.suppress(OSError):  # `| head` has enough; the training goes on
            while data:
                data = data[os.write(descriptor, data) :]

    return write
