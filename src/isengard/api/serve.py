"""Runs the API under uvicorn on a socket it is given: says when it answers, ends live streams promptly when it stops.

Timeline of a stop (SIGTERM or Ctrl-C): no new connections → every live stream ends its answer, clients come back later
with their position → running requests finish, for `DRAIN_S` at most → board, feeds and store close → `serve` returns.
"""

from __future__ import annotations

import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from isengard.api.app import create_app
from isengard.api.half_open import give_up_silent_clients
from isengard.api.subscribers import Address
from isengard.api.wire import bounded_http
from isengard.core.errors import IsengardError, StartupError, StorageError
from isengard.core.settings import Settings

DRAIN_S = 10


def serve(settings: Settings, listener: socket.socket, *, ready: Callable[[], None] | None = None) -> None:
    """Serve on `listener` until SIGTERM or Ctrl-C.

    Args:
        ready: Called once requests are answered, in the event loop.

    Raises:
        StartupError: The data folder or the database cannot be used.
    """
    _spool_uploads_in(settings.paths.run / "spool")
    give_up_silent_clients(listener, settings.stream_stall_s)
    try:
        app = create_app(settings)
    except StorageError as error:
        raise StartupError(error.detail, field="data_dir") from error
    server = ApiServer(app, settings, ready or _nothing)
    try:
        server.run(sockets=[listener])
    except SystemExit:  # uvicorn's way to say that the lifespan did not begin
        reason: IsengardError | None = app.state.startup_error
        told = reason.detail if reason else "the API could not start; its service log says why"
        raise StartupError(told, field="data_dir") from reason


def _spool_uploads_in(folder: Path) -> None:
    """Have uploads spooled in the data folder: ``/tmp`` is memory on many systems. The files have no name there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartupError(f"the folder {folder} cannot be made: {error.strerror}", field="data_dir") from error
    tempfile.tempdir = str(folder)


def _nothing() -> None:
    """Nobody waits."""


class ApiServer(uvicorn.Server):
    """Uvicorn with three additions: `ready`, the prompt end of streams, and a way to cut a stuck connection."""

    def __init__(self, app: FastAPI, settings: Settings, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http=bounded_http(settings.max_header_kb, settings.header_timeout_s),
                ws="websockets-sansio",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=DRAIN_S,
                timeout_keep_alive=30,
                ssl_certfile=settings.tls_cert,
                ssl_keyfile=settings.tls_key,
                ws_max_size=64 * 1024,
                ws_per_message_deflate=False,
            )
        )
        self._app = app
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._app.state.services.subscribers.abort = self._abort
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the live streams first: they would hold the shutdown up."""
        self._app.state.services.subscribers.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals that end it; unlike uvicorn, do not raise them again after an orderly end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _abort(self, client: Address) -> None:
        """Cut the connection of a client that does not read; what waits for it in memory goes with it."""
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == client and connection.transport is not None:
                connection.transport.abort()
