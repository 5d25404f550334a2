"""`isengard logs`: a job's journal in a terminal, filtered, and live with ``-f``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from isengard.cli.log_lines import render
from isengard.cli.options import DataDirOption, JobArgument
from isengard.cli.terminal import inert
from isengard.cli.workspace import job_paths
from isengard.core.errors import InvalidInput
from isengard.events.models import TERMINAL_EVENTS, Level

if TYPE_CHECKING:
    from isengard.core.paths import JobPaths

_BATCH = 1000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("logs")(logs)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines; empty sets want all."""

    levels: Collection[str]
    events: Collection[str]
    search: str

    def passes(self, level: str, event: str, text: str) -> bool:
        """Whether a line is wanted."""
        return (
            (not self.levels or level in self.levels)
            and (not self.events or event in self.events)
            and (not self.search or self.search.casefold() in text.casefold())
        )


def logs(
    job: JobArgument,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on live until the job has ended.")] = False,
    level: Annotated[str | None, typer.Option(help="Only these levels, by comma: DEBUG,INFO,WARN,ERROR.")] = None,
    event: Annotated[str | None, typer.Option(help="Only these events, by comma, such as training.step.")] = None,
    search: Annotated[str, typer.Option(help="Only lines that hold this text.")] = "",
    lines: Annotated[int | None, typer.Option("-n", "--lines", min=0, help="Only the last so many lines.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Only lines behind this number.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the lines as they stand in the journal.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Print a job's journal."""
    wanted = Wanted(_levels(level), _names(event), search)
    paths = job_paths(data_dir, job)
    show = _raw if json else _readable(colour=sys.stdout.isatty())
    start = after if lines is None else _start_of_last(paths, wanted, after, lines)
    end = _print_all(paths, wanted, start, show)
    if follow:
        _follow(paths, wanted, end, show)


def _print_all(paths: JobPaths, wanted: Wanted, start: int, show: Callable[[bytes, int], str]) -> int:
    """Print what there is behind line `start`; returns the number of the last line read."""
    from isengard.journal import JournalReader

    reader = JournalReader(paths)
    position = start
    while batch := reader.lines(position, _BATCH):
        _print(batch, position, wanted, show)
        position += len(batch)
    return position


def _follow(paths: JobPaths, wanted: Wanted, after: int, show: Callable[[bytes, int], str]) -> None:
    """Print new lines as they come, until the job has ended; one that has ended is not waited for."""
    from isengard.journal import Entry, JobFold, JournalReader
    from isengard.journal.follow import follow_blocking

    fold = JobFold.read(JournalReader(paths))
    if fold.terminal_seq is not None and fold.last_seq <= after:
        return
    position = after
    for batch in follow_blocking(paths, after):
        _print(batch, position, wanted, show)
        position += len(batch)
        if Entry.read(batch[-1], position).event in TERMINAL_EVENTS:
            return


def _print(batch: Iterable[bytes], before: int, wanted: Wanted, show: Callable[[bytes, int], str]) -> None:
    from isengard.journal import Entry

    for number, line in enumerate(batch, before + 1):
        entry = Entry.read(line, number)
        if wanted.passes(entry.level, entry.event, line.decode(errors="replace")):
            print(show(line, number))
    sys.stdout.flush()


def _start_of_last(paths: JobPaths, wanted: Wanted, after: int, count: int) -> int:
    """The number of the line behind which the last `count` wanted lines stand."""
    from isengard.journal import JournalReader

    reader = JournalReader(paths)
    if count == 0:
        return max(after, reader.last_seq())
    page = reader.page(wanted.levels, wanted.events, wanted.search, limit=count, order="desc")
    oldest = page.entries[-1].seq - 1 if page.entries else 0
    return max(after, oldest)


def _raw(line: bytes, _number: int) -> str:
    text = line.decode(errors="replace")
    return inert(text) if sys.stdout.isatty() else text


def _readable(*, colour: bool) -> Callable[[bytes, int], str]:
    from isengard.journal import Entry

    def show(line: bytes, number: int) -> str:
        return render(Entry.read(line, number), colour=colour)

    return show


def _levels(given: str | None) -> frozenset[str]:
    levels = frozenset(name.upper().replace("WARNING", "WARN") for name in _names(given))
    unknown = sorted(levels - set(Level))
    if unknown:
        raise InvalidInput(f"{unknown[0]} is not a level; there are {', '.join(Level)}", field="level")
    return levels


def _names(given: str | None) -> frozenset[str]:
    return frozenset(name.strip() for name in (given or "").split(",") if name.strip())
