"""`isengard backup` and `isengard restore`: a data folder in one file, and back."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from isengard.cli import workspace
from isengard.cli.humanize import size
from isengard.cli.options import DataDirOption, JsonOption, settings_for
from isengard.cli.terminal import print_json, say

_FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup, a ZIP file.")]
_SHOWN = 5


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    file: _FileArgument,
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Also the secrets of jobs, in the clear, and the access tokens.")
    ] = False,
    without_samples: Annotated[bool, typer.Option("--without-samples", help="Leave the sample images out.")] = False,
    without_checkpoints: Annotated[
        bool,
        typer.Option("--without-checkpoints", help="Leave the checkpoints out; no job goes on from one then."),
    ] = False,
    json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Write the data folder into one file, while server and trainings go on."""
    from isengard.diagnostics.backup import write_backup
    from isengard.diagnostics.backup_contents import Choice

    settings = workspace.existing_settings(data_dir)
    choice = Choice(secrets=with_secrets, samples=not without_samples, checkpoints=not without_checkpoints)
    with _bar(f"writing {file}", quiet=json) as report:
        written = write_backup(settings, file, choice, report)
    bytes_ = written.path.stat().st_size
    if json:
        print_json({**_facts(written), "size_bytes": bytes_})
        return
    say(f"{written.path} ({size(bytes_)}; {written.jobs} jobs, {written.files} files)")
    if not with_secrets:
        say("  without secrets and access tokens; --with-secrets takes them in")
    if not written.database:
        say("  without the database, which is PostgreSQL: docs/deployment.md says how to back it up")
    if written.left_out:
        say(f"  left out, for their names: {', '.join(written.left_out[:_SHOWN])}{_more(written.left_out)}")


def restore(file: _FileArgument, json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Make a data folder from a backup. What is there is never written over."""
    from isengard.diagnostics.restore import restore_backup

    logging.disable(logging.WARNING)  # that rows follow their journals is what is meant here
    settings = settings_for(data_dir)
    with _bar(f"restoring {settings.data_dir}", quiet=json) as report:
        restored = restore_backup(settings, file, report)
    if json:
        print_json(_facts(restored))
        return
    say(f"{restored.path} is as it was at {restored.made_at}: {restored.jobs} jobs")
    if restored.interrupted:
        names = f"{', '.join(restored.interrupted[:_SHOWN])}{_more(restored.interrupted)}"
        say(f"  interrupted, for they were running then: {names}\n  go on with:  isengard resume JOB")
    if restored.queued:
        say(f"  {restored.queued} in the queue: the next worker starts them (not after: isengard queue pause)")
    if restored.without_secrets:
        names = f"{', '.join(restored.without_secrets[:_SHOWN])}{_more(restored.without_secrets)}"
        say(f"  their secrets are not in the backup: {names}")
    if not restored.has_tokens:
        say("  no access tokens are in it: a loopback address asks nobody for one until `isengard token` makes some")


def _facts(outcome: object) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(outcome)  # type: ignore[call-overload,no-any-return]


def _more(names: list[str]) -> str:
    return f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""


@contextlib.contextmanager
def _bar(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar of bytes, where somebody looks."""
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        *(BarColumn(bar_width=None), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, everything: progress.update(task, completed=done, total=everything)
