"""`isengard up`: everything on one machine."""

from __future__ import annotations

from typing import Annotated

import typer

from isengard.cli import listener
from isengard.cli.options import DataDirOption, TlsCertOption, TlsKeyOption
from isengard.cli.supervisor import Supervisor
from isengard.core.settings import load


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("up")(up)


def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on; others than loopback need a token.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: DataDirOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    stop_jobs: Annotated[
        bool, typer.Option("--stop-jobs", help="At the end, cancel the running trainings instead of leaving them.")
    ] = False,
) -> None:
    """Run the API, the page and a worker until Ctrl-C. Trainings go on without it."""
    settings = load(host=host, port=port, data_dir=data_dir, tls_cert=tls_cert, tls_key=tls_key)
    settings.paths.prepare()
    with listener.bind(settings) as socket:
        listener.announce_first_token(settings)
        raise typer.Exit(Supervisor(settings, socket, stop_jobs=stop_jobs).run())
