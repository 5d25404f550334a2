"""The processes' own logs: standard-library logging as JSON lines, redacted, rotated, with the correlation id.

Each line: ``{"ts", "level", "event", "msg", "service", "logger", "job_id"?, "correlation_id"?, "fields"}``. What a call
passes as ``extra`` stands in `fields`, but for `event`, `job_id` and `correlation_id`, which have places of their own.
Nothing here ever raises into the code that logs.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from isengard.core import correlation
from isengard.core.errors import StorageError
from isengard.core.paths import DataDir
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.journal.append_file import AppendFile
from isengard.journal.timestamps import format_seconds

MAX_BYTES = 16 * 1024 * 1024
KEEP = 5

_LEVELS = {"DEBUG": logging.DEBUG, "INFO": logging.INFO, "WARN": logging.WARNING, "ERROR": logging.ERROR}
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PLACED = frozenset({"event", "job_id", "correlation_id"})


class JsonLineFormatter(logging.Formatter):
    """Makes the line of a record.

    Args:
        service: ``api`` or ``worker``.
    """

    def __init__(self, service: str, redactor: Redactor) -> None:
        super().__init__()
        self._service = service
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON without its line feed."""
        given = {name: value for name, value in vars(record).items() if name not in _OWN}
        bound = correlation.current()
        line: dict[str, Any] = {
            "ts": format_seconds(record.created),
            "level": _level(record.levelno),
            "event": str(given.get("event", "log")),
            "msg": _message(record),
            "service": self._service,
            "logger": record.name,
            "job_id": given.get("job_id"),
            "correlation_id": given.get("correlation_id") or (bound.id if bound else None),
            "fields": {name: value for name, value in given.items() if name not in _PLACED} | _error_of(record),
        }
        known = {name: value for name, value in line.items() if value is not None}
        return self._redactor.dumps(known).decode().rstrip("\n")


def _level(number: int) -> str:
    """Our name of the highest level that is not above `number`."""
    return next((name for name, least in reversed(_LEVELS.items()) if number >= least), "DEBUG")


def _message(record: logging.LogRecord) -> str:
    """The message; with its arguments beside it where they do not fit into it."""
    try:
        return record.getMessage()
    except Exception:  # a mistake of whoever logs must not cost the line
        return f"{record.msg} {record.args!r}"


def _error_of(record: logging.LogRecord) -> dict[str, str]:
    if not record.exc_info or record.exc_info[1] is None:
        return {}
    error = record.exc_info[1]
    return {
        "error": str(error),
        "error_type": type(error).__name__,
        "error_stack": "".join(traceback.format_exception(error)),
    }


class ServiceLogHandler(logging.Handler):
    """Appends the lines to a file, whole or not at all, and starts a new one when it is full.

    A disk that refuses costs the lines of that time and nothing else; it is told on stderr once, until it works again.

    Args:
        path: The newest file; older ones are ``….1`` (newest) to ``….5``.
    """

    def __init__(self, path: Path, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.max_bytes = MAX_BYTES
        self._path = path
        self._file: AppendFile | None = None
        self._is_failing = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of `record`."""
        try:
            self._write(self.format(record).encode("utf-8", "replace") + b"\n")
            self._is_failing = False
        except Exception:  # whatever it is, whoever logs is not to blame
            self.handleError(record)

    def _write(self, line: bytes) -> None:
        if self._file is not None and self._file.size and self._file.size + len(line) > self.max_bytes:
            self._rotate()
        if self._file is None:
            self._file = AppendFile(self._path)
            if self._file.size and os.pread(self._file.fd, 1, self._file.size - 1) != b"\n":
                line = b"\n" + line  # a process that was killed left a part of a line
        self._file.append(line)

    def _rotate(self) -> None:
        for number in range(KEEP, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number - 1}") if number > 1 else self._path
            if older.exists():
                os.replace(older, self._path.with_name(f"{self._path.name}.{number}"))
        self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def handleError(self, record: logging.LogRecord) -> None:
        """Say once that lines are being lost, and go on."""
        if not self._is_failing:
            self._is_failing = True
            error = sys.exc_info()[1]
            with contextlib.suppress(OSError, ValueError):  # stderr may be closed
                sys.stderr.write(f"isengard: {self._path.name} loses lines: {error}\n")

    def close(self) -> None:
        """Close the file."""
        self._close_file()
        super().close()


def configure_for(service: str, settings: Settings, redactor: Redactor) -> Path:
    """Like `configure`, as the settings say: with ``ISENGARD_LOG_STDOUT=json`` the lines are printed as well."""
    path = configure(service, settings.paths, settings.log_level, redactor)
    if settings.log_stdout == "json":
        printing = logging.StreamHandler(sys.stdout)
        printing.setFormatter(JsonLineFormatter(service, redactor))
        logging.getLogger().addHandler(printing)
    return path


def configure(service: str, data_dir: DataDir | Path, level: str, redactor: Redactor) -> Path:
    """Send all logging of this process to ``logs/{service}/{service}.log``; returns its path.

    Calling it again replaces what the last call set up.

    Raises:
        StorageError: The folder cannot be made.
    """
    data = data_dir if isinstance(data_dir, DataDir) else DataDir(data_dir)
    folder = data.service_logs(service)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"the folder {folder} cannot be made: {error.strerror or os.strerror(0)}") from error
    path = folder / f"{service}.log"
    handler = ServiceLogHandler(path, JsonLineFormatter(service, redactor))
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, ServiceLogHandler)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(_LEVELS[level])
    return path
