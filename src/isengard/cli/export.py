"""`isengard export`: carry what journals say to an OpenTelemetry collector, or to standard output."""

from __future__ import annotations

from typing import Annotated

import typer

from isengard.cli import parent_pipe
from isengard.cli.options import DataDirOption, settings_for


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    stdout: Annotated[
        bool, typer.Option("--stdout", help="Print every journal's lines, for a collector that reads what is printed.")
    ] = False,
    data_dir: DataDirOption = None,
    pipe: Annotated[int | None, typer.Option("--lifeline", hidden=True, help="End when this pipe closes.")] = None,
) -> None:
    """Send logs, metrics and traces of all jobs to a collector; goes on where it was when it ended."""
    from isengard.telemetry import process, signals

    settings = settings_for(data_dir)
    if pipe is not None:
        parent_pipe.follow(pipe)
    process.run(settings, [signals.stdout_signal()] if stdout else signals.open_signals(settings))
