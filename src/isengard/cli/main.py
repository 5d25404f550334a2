"""The `isengard` command: one Typer application, and the one place where an error becomes an exit code.

Exit codes: 0 done; 1 an expected error (one line on stderr says which); 2 it could not start, or the command line is
wrong; 130 ended by Ctrl-C. A command module holds no try/except around its work and never shows a traceback.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from isengard import __version__
from isengard.cli.terminal import complain
from isengard.core.errors import IsengardError, StartupError

_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
"""What a disk says when it takes nothing more: no bug of ours."""
_HOMES = {
    "up": "up",
    "demo": "demo",
    "train": "train",
    "run": "run_command",
    "jobs": "jobs",
    "cancel": "jobs",
    "resume": "jobs",
    "delete": "jobs",
    "sample": "jobs",
    "save": "jobs",
    "queue": "queue",
    "logs": "logs",
    "debug-bundle": "debug",
    "trace": "debug",
    "doctor": "debug",
    "redact": "debug",
    "characters": "characters",
    "token": "tokens",
    "backup": "backups",
    "restore": "backups",
    "api": "services",
    "worker": "services",
    "export": "export",
}
"""Each command and the module that has it. `isengard up` starts sooner for not reading all of them, twice."""


def application(command: str = "") -> typer.Typer:
    """The command line with the module of `command`, or with all of them where there is no such command."""
    app = typer.Typer(
        name="isengard",
        help="Launch LoRA trainings, watch them live, and learn what went wrong.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(root)
    homes = [_HOMES[command]] if command in _HOMES else dict.fromkeys(_HOMES.values())
    for home in homes:
        import_module(f"isengard.cli.{home}").register(app)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"isengard {__version__}")
        raise typer.Exit


def root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Launch LoRA trainings, watch them live, and learn what went wrong."""


def run() -> None:
    """Entry point of `isengard` and `python -m isengard`."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Carry out one command line and return its exit code; expected errors are one line on stderr."""
    try:
        return _invoke(arguments)
    except StartupError as error:
        complain(error.detail)
        return 2
    except IsengardError as error:
        complain(error.detail)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (`| head`) has enough. Python would complain again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _unexpected(error)


def _unexpected(error: Exception) -> int:
    """A disk that takes nothing more, or a bug of ours: one line; the stack of a bug is for whoever asks for it."""
    if isinstance(error, OSError) and error.errno in _DISK:
        complain(f"the disk refuses: {error.strerror}" + (f" ({error.filename})" if error.filename else ""))
        return 1
    if os.environ.get("ISENGARD_LOG_LEVEL", "").upper() == "DEBUG":
        raise error
    complain(f"unexpected {type(error).__name__}: {error} (ISENGARD_LOG_LEVEL=DEBUG shows the stack)")
    return 1


def _invoke(arguments: Sequence[str]) -> int:
    app = application(arguments[0] if arguments else "")
    try:
        app(args=list(arguments), prog_name="isengard")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0
