"""`isengard train`: queue a training from a terminal, check it first, watch it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isengard.cli import hints, workspace
from isengard.cli.jobs import job_view
from isengard.cli.options import DataDirOption, JsonOption
from isengard.cli.parameters import from_file, typed
from isengard.cli.progress import Lines, raise_unless_completed, watch
from isengard.cli.terminal import complain, print_json, remark, say
from isengard.core.errors import InvalidInput

if TYPE_CHECKING:
    from isengard.cli.workspace import Workspace
    from isengard.diagnostics.preflight import Outlook

_MARKS = {"error": "✗", "warning": "!", "info": "·"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    character: Annotated[str, typer.Option("--character", "-c", help="Id or name of the character.")],
    trainer: Annotated[str | None, typer.Option(help="Name of an installed trainer; default by ISENGARD_MODE.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A parameter, such as --set steps=500.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A JSON or YAML file of parameters; --set wins over it.")] = None,
    secret: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Hand this environment variable to the trainer, masked.")
    ] = None,
    priority: Annotated[int, typer.Option(min=-1000, max=1000, help="Higher goes first in the queue.")] = 0,
    key: Annotated[str | None, typer.Option("--idempotency-key", help="Queue only once under this key.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say whether it would be accepted.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Watch it until it has ended.")] = False,
    json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Queue a training of a character."""
    given = from_file(config) if config is not None else {}
    with workspace.existing(data_dir) as place:
        parameters = {**given, **typed(settings or (), trainer or place.settings.mode.default_trainer)}
        if check:
            _check(place, character, trainer, parameters, secret or (), json)
            return
        job_id = _submit(place, character, trainer, parameters, secret or (), key, priority, json, follow)
        if follow:
            _follow(place, job_id, json)


def _follow(place: Workspace, job_id: str, json: bool) -> None:
    """Watch the job to its end; a program gets the job as it is then, a person sees the way there, then on stderr."""
    fold = watch(place.settings.paths.job(job_id), display=Lines(remark) if json else None)
    if json:
        print_json(job_view(place, place.store.get_job(job_id)).model_dump(mode="json"))
    raise_unless_completed(job_id, fold, place.settings)
    if not json:
        say(f"{job_id} is completed")


def _submit(
    place: Workspace,
    character: str,
    trainer: str | None,
    parameters: dict[str, Any],
    secrets: Sequence[str],
    key: str | None,
    priority: int,
    json: bool,
    follow: bool,
) -> str:
    from isengard.execution import control

    job, is_new = control.submit(
        place.settings,
        place.store,
        character_id=place.character(character).id,
        trainer=trainer,
        config=parameters,
        secrets={name: _from_environment(name) for name in secrets},
        idempotency_key=key,
        priority=priority,
    )
    if json and not follow:
        print_json(job_view(place, job).model_dump(mode="json"))
    else:
        tell = remark if json else say
        tell(f"{job.id} is queued" if is_new else f"{job.id} was queued by an earlier request with this key")
    if not _has_worker(place):
        complain(f"no worker runs on {place.settings.data_dir}; start one with: {hints.command('up', place.settings)}")
    return job.id


def _check(
    place: Workspace,
    character: str,
    trainer: str | None,
    parameters: dict[str, Any],
    secrets: Sequence[str],
    json: bool,
) -> None:
    from isengard.diagnostics.preflight import check_plan

    outlook = check_plan(
        place.settings,
        place.store,
        character_id=place.character(character).id,
        trainer=trainer,
        config=parameters,
        secrets={name: _from_environment(name) for name in secrets},
        environment=os.environ,
    )
    if json:
        print_json(
            {
                "ok": outlook.ok,
                "trainer": outlook.trainer,
                "config": outlook.config,
                "image_count": outlook.image_count,
                "findings": outlook.findings,
            }
        )
    else:
        _say_outlook(outlook)
    if not outlook.ok:
        raise typer.Exit(1)


def _say_outlook(outlook: Outlook) -> None:
    for finding in outlook.findings:
        say(f"{_MARKS[finding.severity]} {finding.message}")
    verdict = "would be accepted" if outlook.ok else "would be refused"
    say(f"a training of {outlook.image_count} images with {outlook.trainer} {verdict}")


def _has_worker(place: Workspace) -> bool:
    from isengard.jobs.leases import is_dead

    return any(not is_dead(worker) for worker in place.store.workers())


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise InvalidInput(f"there is no environment variable {name} (--secret)", field="secret")
    return value
