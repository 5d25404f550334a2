"""The socket that the API listens on: bound by whoever starts the API, so that a taken port is known at once.

`isengard up` binds it and hands it down. A restarted API takes over the same socket: connections made meanwhile wait
in its queue instead of being refused.
"""

from __future__ import annotations

import errno
import os
import socket

from isengard.cli import encryption
from isengard.cli.terminal import complain
from isengard.core.access.first_token import ensure_first
from isengard.core.errors import StartupError
from isengard.core.settings import Settings

BACKLOG = 2048


def bind(settings: Settings) -> socket.socket:
    """Listen on the host and port of `settings`.

    Raises:
        StartupError: The port is taken, the host is unknown, or the certificate cannot be used.
    """
    encryption.check(settings)
    if complaint := encryption.complaint_of_clients(settings):
        complain(complaint)
    family, address = _resolve(settings)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _explain(error, settings) from error
    return listener


def inherit(descriptor: int) -> socket.socket:
    """The listening socket that a parent handed down as `descriptor`; raises `StartupError`."""
    try:
        listener = socket.socket(fileno=descriptor)
    except OSError as error:
        raise StartupError(f"--fd {descriptor} is not a socket: {os.strerror(error.errno or 0)}") from error
    listener.set_inheritable(False)
    return listener


def announce_first_token(settings: Settings) -> None:
    """Make and print the first token of a server that other machines can reach and that has none; shown only once."""
    token = ensure_first(settings)
    if token is not None:
        print(f"Access token, shown only this once: {token}", flush=True)
        print("Send it as 'Authorization: Bearer …' or log in with it; 'isengard token' makes others.", flush=True)


def url_of(listener: socket.socket, settings: Settings) -> str:
    """The address of `listener` for a browser on this machine."""
    scheme = "https" if settings.has_tls else "http"
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared with, not bound to
    return f"{scheme}://[{shown}]:{port}" if ":" in shown else f"{scheme}://{shown}:{port}"


def _resolve(settings: Settings) -> tuple[socket.AddressFamily, tuple[str, int]]:
    host = settings.host.strip("[]")
    try:
        found = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartupError(f"the host {settings.host!r} is unknown: {error.strerror}", field="host") from error
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))


def _explain(error: OSError, settings: Settings) -> StartupError:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return StartupError(
            f"port {settings.port} is taken on {settings.host}; stop what uses it, or choose another with --port",
            field="port",
        )
    return StartupError(f"cannot listen on {where}: {error.strerror}", field="host")
