"""Imports what each process of ours imports, so that Python compiles it once and for good, third parties' included.

`python -m compileall` on all that is installed would take minutes for modules that nothing here ever loads.
"""

from __future__ import annotations

import contextlib
import importlib

import isengard.cli.main

PROCESSES = (
    "isengard.api.serve",
    "isengard.api.exposition",
    "isengard.execution.worker",
    "isengard.execution.runner",
    "isengard.trainers.host",
    "isengard.trainers.mock.loop",
    "alembic.command",
    "rich.progress",
)
WITH_EXTRAS = ("isengard.trainers.diffusers.engine.loop", "isengard.telemetry.records", "redis.asyncio")


def main() -> None:
    """Import everything; an extra that is not installed is none of our business."""
    isengard.cli.main.application()
    for name in PROCESSES:
        importlib.import_module(name)
    for name in WITH_EXTRAS:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


if __name__ == "__main__":
    main()
