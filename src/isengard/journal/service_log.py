"""The processes' own logs: standard-library logging as JSON lines, redacted, rotated, with the correlation id.

Each line: ``{"ts", "level", "event", "msg", "service", "logger", "job_id"?, "correlation_id"?, "fields"}``. What a call
passes as ``extra`` stands in `fields`, but for `event`, `job_id` and `correlation_id`, which have places of their own.
Nothing here ever raises into the code that logs.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from isengard.core import correlation
from isengard.core.errors import StorageError
from isengard.core.paths import DataDir
from isengard.core.redaction import Redactor
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
            "level": "WARN" if record.levelno == logging.WARNING else min(record.levelname, "ERROR", key=_rank),
            "event": str(given.get("event", "log")),
            "msg": record.getMessage(),
            "service": self._service,
            "logger": record.name,
            "job_id": given.get("job_id"),
            "correlation_id": given.get("correlation_id") or (bound.id if bound else None),
            "fields": {name: value for name, value in given.items() if name not in _PLACED} | _error_of(record),
        }
        known = {name: value for name, value in line.items() if value is not None}
        return self._redactor.dumps(known).decode().rstrip("\n")


def _rank(level: str) -> int:
    return _LEVELS.get(level, logging.DEBUG)


def _error_of(record: logging.LogRecord) -> dict[str, str]:
    if not record.exc_info or record.exc_info[1] is None:
        return {}
    error = record.exc_info[1]
    return {
        "error": str(error),
        "error_type": type(error).__name__,
        "error_stack": "".join(traceback.format_exception(error)),
    }


class ServiceLogHandler(RotatingFileHandler):
    """Writes the lines. A disk that refuses is told on stderr once until it works again."""

    def __init__(self, path: Path, formatter: logging.Formatter) -> None:
        super().__init__(path, maxBytes=MAX_BYTES, backupCount=KEEP, encoding="utf-8", delay=True)
        self.setFormatter(formatter)
        self._failing = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of `record`."""
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Say once that lines are being lost, and go on."""
        if not self._failing:
            self._failing = True
            error = sys.exc_info()[1]
            sys.stderr.write(f"isengard: the log {self.baseFilename} cannot be written: {error}\n")


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
