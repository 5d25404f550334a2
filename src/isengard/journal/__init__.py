"""The journal: one append-only file of numbered lines per job, its writer, its cursors, its index.

Names are loaded when they are first used, so that a process that only follows a journal does not pay for the rest.
Modules of functions are imported by name: `journal.follow`, `journal.series`, `journal.notify`, `journal.service_log`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isengard.journal.cursor import JournalCursor
    from isengard.journal.entry import Entry
    from isengard.journal.fold import JobFold
    from isengard.journal.job_logger import TrainingJobLogger
    from isengard.journal.reader import JournalReader, Page
    from isengard.journal.writer import JournalWriter

__all__ = [
    "Entry",
    "JobFold",
    "JournalCursor",
    "JournalReader",
    "JournalWriter",
    "Page",
    "TrainingJobLogger",
]

_HOME = {
    "Entry": "entry",
    "JobFold": "fold",
    "JournalCursor": "cursor",
    "JournalReader": "reader",
    "JournalWriter": "writer",
    "Page": "reader",
    "TrainingJobLogger": "job_logger",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module  # noqa: PLC0415 - used only here, and only once a name

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_HOME[name]}")
    globals()[name] = getattr(module, name)
    return globals()[name]
