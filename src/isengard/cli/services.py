"""`isengard api` and `isengard worker`: the two services by themselves. `isengard up` starts both of these commands."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from isengard.cli import listener, parent_pipe
from isengard.cli.options import DataDirOption, TlsCertOption, TlsKeyOption
from isengard.cli.terminal import say
from isengard.core.settings import load

_Lifeline = Annotated[int | None, typer.Option("--lifeline", hidden=True, help="End when this pipe closes.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("api")(api)
    app.command("worker")(worker)


def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: DataDirOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    descriptor: Annotated[int | None, typer.Option("--fd", hidden=True, help="A listening socket.")] = None,
    pipe: _Lifeline = None,
) -> None:
    """Serve the HTTP API and the page."""
    settings = load(host=host, port=port, data_dir=data_dir, tls_cert=tls_cert, tls_key=tls_key)
    settings.paths.prepare()
    socket = listener.bind(settings) if descriptor is None else listener.inherit(descriptor)
    if descriptor is None:
        listener.announce_first_token(settings)
    if pipe is not None:
        parent_pipe.follow(pipe)
    # Importing makes hundreds of thousands of objects that stay: looking for garbage among them meanwhile, and at every
    # full collection later, would cost a tenth of the start and pauses for ever.
    gc.disable()
    from isengard.api.serve import serve

    def answered() -> None:
        _settle()
        if descriptor is None:  # nobody above says it
            say(f"Isengard's API is at {listener.url_of(socket, settings)}  (Ctrl-C ends it)")

    serve(settings, socket, ready=answered)


def worker(data_dir: DataDirOption = None, pipe: _Lifeline = None) -> None:
    """Claim queued jobs and see them through."""
    settings = load(data_dir=data_dir)
    settings.paths.prepare()
    if pipe is not None:
        parent_pipe.follow(pipe)
    gc.disable()
    from isengard.execution.worker import Worker

    _settle()
    Worker(settings).run()


def _settle() -> None:
    """Everything that is to stay is there: leave it out of garbage collection, which goes on from here."""
    gc.freeze()
    gc.enable()
