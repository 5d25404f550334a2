"""`isengard queue`: what waits in which order, pause it, let it go on, move a job in it. No server needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from isengard.cli import workspace
from isengard.cli.humanize import ago
from isengard.cli.options import DataDirOption, JobArgument, JsonOption
from isengard.cli.tables import print_table
from isengard.cli.terminal import print_json, say

if TYPE_CHECKING:
    from isengard.api.schemas.queue import QueueView
    from isengard.cli.workspace import Workspace

_HEADINGS = ("NEXT", "JOB", "PRIORITY", "GPUS", "QUEUED", "NOTE")
_group = typer.Typer(help="Look at the queue, pause it, let it go on, move a job in it.", rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(_group, name="queue")


@_group.callback(invoke_without_command=True)
def queue(context: typer.Context, json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Show what runs, what waits in the order in which it is started, and who has which GPU."""
    if context.invoked_subcommand is None:
        with workspace.existing(data_dir) as place:
            _show(place, json)


@_group.command("pause")
def pause(
    reason: Annotated[str | None, typer.Option(help="Shown to everybody while it is paused.")] = None,
    json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Let no further job start; those that run go on."""
    from isengard.execution import queueing

    with workspace.existing(data_dir) as place:
        queueing.pause(place.settings, place.store, reason)
        _show(place, json)


@_group.command("resume")
def resume(json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Let jobs start again."""
    from isengard.execution import queueing

    with workspace.existing(data_dir) as place:
        queueing.resume(place.settings, place.store)
        _show(place, json)


@_group.command("priority")
def priority(
    job: JobArgument,
    value: Annotated[int, typer.Argument(min=-1000, max=1000, help="Higher goes first; a job begins with 0.")],
    json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Move a queued job: higher priorities go first."""
    from isengard.execution import queueing

    with workspace.existing(data_dir) as place:
        queueing.prioritise(place.settings, place.store, place.job(job).id, value)
        _show(place, json)


def _show(place: Workspace, json: bool) -> None:
    from isengard.api.queue_view import queue_view

    view = queue_view(place.settings.paths, place.store)
    if json:
        print_json(view.model_dump(mode="json"))
    else:
        _print(view)


def _print(view: QueueView) -> None:
    if view.paused:
        say("the queue is paused" + (f": {view.reason}" if view.reason else ""))
    for gpu in view.gpus:
        say(f"GPU {gpu.name}: {gpu.job_id or 'free'}")
    if view.running:
        say(f"running: {', '.join(view.running)}")
    if not view.waiting:
        say("nothing waits")
        return
    rows = [
        (
            str(job.position),
            job.job_id,
            str(job.priority),
            str(job.gpus),
            ago(job.queued_at) if job.queued_at else "",
            f"retried at {job.not_before:%H:%M:%S} UTC" if job.not_before else "",
        )
        for job in view.waiting
    ]
    print_table(_HEADINGS, rows)
