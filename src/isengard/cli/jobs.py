"""`isengard jobs`, `cancel`, `resume`, `delete`, `sample`, `save`: the queue from a terminal, no server needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from isengard.cli import hints, workspace
from isengard.cli.humanize import ago, figure, span
from isengard.cli.options import DataDirOption, JobArgument, JsonOption
from isengard.cli.tables import print_table
from isengard.cli.terminal import print_json, say

if TYPE_CHECKING:
    from isengard.api.schemas.training import JobView
    from isengard.cli.workspace import Workspace
    from isengard.jobs.models import Job

_HEADINGS = ("JOB", "STATUS", "TRAINER", "STEP", "LOSS", "ETA", "MADE", "NOTE")
_NOTE = 60


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("jobs")(jobs)
    app.command("cancel")(cancel)
    app.command("resume")(resume)
    app.command("delete")(delete)
    app.command("sample")(sample)
    app.command("save")(save)


def jobs(
    status: Annotated[str | None, typer.Option(help="Only these statuses, by comma.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest.")] = 50,
    json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """List the jobs, newest first, as fresh as their journals."""
    from isengard.api.views import FreshJobs
    from isengard.journal.readers import JournalReaders

    with workspace.existing(data_dir) as place:
        page = place.store.list_jobs(status=status, limit=limit)
        views = FreshJobs(JournalReaders(place.settings.paths)).views(page.jobs)
    if json:
        print_json({"jobs": [view.model_dump(mode="json") for view in views], "cursor": page.cursor})
    elif not views:
        begin = hints.command("train -c CHARACTER", place.settings)
        say(f"no jobs yet; start one with: {begin}" if status is None else f"no job is {status}")
    else:
        print_table(_HEADINGS, [_row(view) for view in views])


def cancel(job: JobArgument, json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Stop a job: at once while it is queued, else by asking its trainer."""
    from isengard.execution import control

    with workspace.existing(data_dir) as place:
        changed = control.cancel(place.settings, place.store, place.job(job).id)
        _tell(place, changed, "is being stopped" if changed.status == "cancelling" else f"is {changed.status}", json)


def resume(job: JobArgument, json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Queue a failed or cancelled job again; it goes on from its last whole checkpoint."""
    from isengard.execution import control

    with workspace.existing(data_dir) as place:
        changed = control.resume(place.settings, place.store, place.job(job).id)
        _tell(place, changed, f"is queued again, attempt {changed.attempt}", json)


def delete(job: JobArgument, json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Remove a job that has ended, with its journal, samples and checkpoints. Its finished LoRA stays."""
    from isengard.execution import control

    with workspace.existing(data_dir) as place:
        gone = place.job(job)
        control.delete(place.settings, place.store, gone.id)
    if json:
        print_json({"id": gone.id, "deleted": True})
    else:
        say(f"{gone.id} is deleted")


def sample(job: JobArgument, json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Ask a running training for a sample at its next step."""
    from isengard.execution import control
    from isengard.execution.inbox import Command

    with workspace.existing(data_dir) as place:
        asked = control.request(place.settings, place.store, place.job(job).id, Command.SAMPLE)
        _tell(place, asked, "was asked for a sample", json)


def save(job: JobArgument, json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Ask a running training for a checkpoint at its next step."""
    from isengard.execution import control
    from isengard.execution.inbox import Command

    with workspace.existing(data_dir) as place:
        asked = control.request(place.settings, place.store, place.job(job).id, Command.SAVE)
        _tell(place, asked, "was asked for a checkpoint", json)


def job_view(place: Workspace, job: Job) -> JobView:
    """The job as the API shows it."""
    from isengard.api.views import FreshJobs
    from isengard.journal.readers import JournalReaders

    return FreshJobs(JournalReaders(place.settings.paths)).view(job)


def _tell(place: Workspace, job: Job, what: str, json: bool) -> None:
    if json:
        print_json(job_view(place, job).model_dump(mode="json"))
    else:
        say(f"{job.id} {what}")


def _row(view: JobView) -> tuple[str, ...]:
    note = view.error_message or view.phase or (view.output_path if view.status == "completed" else None) or ""
    return (
        view.id,
        view.status,
        view.trainer,
        f"{view.current_step}/{view.total_steps}" if view.total_steps else str(view.current_step or "–"),
        figure(view.current_loss),
        span(view.eta_seconds),
        ago(view.created_at),
        note if len(note) <= _NOTE else f"{note[: _NOTE - 1]}…",
    )
