"""A training as it runs, in a terminal: a live bar with loss and ETA, or plain lines where nobody looks.

Reads the journal like any other reader; stopping to watch changes nothing for the training.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from isengard.cli import hints
from isengard.cli.humanize import figure, span
from isengard.cli.terminal import inert_line, remark, say
from isengard.core.errors import IsengardError
from isengard.core.settings import Settings

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

    from isengard.core.paths import JobPaths
    from isengard.journal import Entry, JobFold

_EVERY_PCT = 5.0


class Display(Protocol):
    """Something that shows how a job stands."""

    def show(self, fold: JobFold, entry: Entry) -> None:
        """Show the job after `entry`."""
        ...


def watch(paths: JobPaths, *, stop: Callable[[], bool] = lambda: False, display: Display | None = None) -> JobFold:
    """Show the job until it has ended; returns how it stands then.

    Args:
        stop: Asked twice a second and at each batch of lines; True ends the watching, not the job.
        display: What shows it; None for a bar, or plain lines where nobody looks.
    """
    from isengard.journal import Entry, JobFold
    from isengard.journal.follow import follow_blocking

    fold = JobFold()
    with nullcontext(display) if display is not None else _display(paths.job_id) as shown:
        for batch in follow_blocking(paths, idle_s=0.5):
            for line in batch:
                entry = Entry.read(line, fold.last_seq + 1)
                fold.apply(entry)
                shown.show(fold, entry)
            if fold.terminal_seq is not None or stop():
                return fold
    return fold


def explain(paths: JobPaths) -> None:
    """Say on stderr what a failure means and what to try, if its cause is known."""
    from isengard.events.models import EventName
    from isengard.journal import JournalReader

    last = JournalReader(paths).page(events=[EventName.JOB_FAILED], limit=1, order="desc").entries
    cause = last[0].fields.get("cause") if last else None
    if not isinstance(cause, dict) or cause.get("code") == "unknown":
        return
    remark(f"  what it means: {cause.get('title')}. {cause.get('explanation')}")
    for advice in cause.get("advice") or ():
        remark(f"  try: {advice}")


def raise_unless_completed(job_id: str, fold: JobFold, settings: Settings) -> None:
    """Raise `IsengardError` saying how the job ended, unless it is completed; a known cause is explained before."""
    if fold.status == "failed":
        explain(settings.paths.job(job_id))
        cause = f"{fold.error_type or 'Error'}: {fold.error}"
        more = hints.command(f"debug-bundle {job_id} --show-error", settings)
        raise IsengardError(f"{job_id} failed: {cause}; more: {more}")
    if fold.status != "completed":
        raise IsengardError(f"{job_id} is {fold.status}")


def _display(job_id: str) -> AbstractContextManager[Display]:
    return _bar(job_id) if sys.stdout.isatty() else nullcontext(Lines())


class Lines:
    """One line at each stage, sample, checkpoint and every twentieth of the way.

    Args:
        tell: Prints it.
    """

    def __init__(self, tell: Callable[[str], None] = say) -> None:
        self._tell = tell
        self._shown_pct = 0.0
        self._stage: str | None = None

    def show(self, fold: JobFold, entry: Entry) -> None:
        """Print a line if there is something new to say."""
        if entry.event == "training.step":
            self._step(fold)
        elif entry.event in ("training.sample", "training.checkpoint"):
            name = entry.fields.get("sample_path") or entry.fields.get("checkpoint_path")
            self._tell(f"  {entry.event.removeprefix('training.')} {inert_line(str(name))}")
        elif fold.stage != self._stage and fold.stage is not None:
            self._tell(f"  {fold.stage}")
        self._stage = fold.stage

    def _step(self, fold: JobFold) -> None:
        progress = fold.progress_pct or 0.0
        if progress - self._shown_pct >= _EVERY_PCT or progress >= 100.0 > self._shown_pct:
            self._shown_pct = progress
            self._tell(f"  step {fold.step}/{fold.steps_total}  loss {figure(fold.loss)}  eta {span(fold.eta_seconds)}")


class Bar:
    """A Rich progress bar."""

    def __init__(self, progress: Progress, job_id: str) -> None:
        self._progress = progress
        self._task = progress.add_task(job_id, total=None, stage="queued", loss="–", eta="–", steps="")

    def show(self, fold: JobFold, entry: Entry) -> None:
        """Bring the bar up to date; samples and checkpoints get a line above it."""
        name = entry.fields.get("sample_path") or entry.fields.get("checkpoint_path")
        if name and entry.event in ("training.sample", "training.checkpoint"):
            self._progress.console.print(
                f"  {entry.event.removeprefix('training.')} {inert_line(str(name))}", markup=False, highlight=False
            )
        figures: dict[str, Any] = {
            "stage": inert_line(fold.phase or fold.stage or "queued"),
            "loss": figure(fold.loss),
            "eta": span(fold.eta_seconds),
            "steps": f"{fold.step or 0}/{fold.steps_total}" if fold.steps_total else "",
        }
        self._progress.update(self._task, total=fold.steps_total, completed=fold.step or 0, **figures)


def bar_columns() -> tuple[ProgressColumn, ...]:
    """What stands in a line of the bar."""
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    return (
        TextColumn("{task.fields[stage]}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[steps]}", markup=False),
        TextColumn("loss {task.fields[loss]}", markup=False),
        TextColumn("eta {task.fields[eta]}", markup=False),
        TimeElapsedColumn(),
    )


@contextmanager
def _bar(job_id: str) -> Iterator[Bar]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(*bar_columns(), console=Console(), refresh_per_second=8) as progress:
        yield Bar(progress, job_id)
