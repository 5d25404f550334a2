"""Commands to a runner: one small file each in the job's ``inbox/``, put there by rename and removed when obeyed.

A file, so that a command outlives whoever gave it and needs no server. Each names the attempt it is meant for: one
that a dead attempt left behind never reaches the next.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from isengard.core.paths import JobPaths


class Command(StrEnum):
    """What a runner can be told."""

    CANCEL = "cancel"
    SAMPLE = "sample"
    SAVE = "save"
    ADOPT = "adopt"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class InboxCommand:
    """One command as it was found.

    Attributes:
        sender: Who gave it, for the journal: ``api``, ``cli`` or a worker's id.
        correlation_id: The request it came from; empty if from none.
    """

    command: Command
    attempt: int
    sender: str
    correlation_id: str
    path: Path


def put(paths: JobPaths, command: Command, *, attempt: int, sender: str, correlation_id: str) -> None:
    """Leave `command` for the runner of `attempt`; raises OSError."""
    name = f"{time.time_ns():020d}-{secrets.token_hex(4)}-{command}"
    partial = paths.inbox / f".{name}"
    body = {"command": command, "attempt": attempt, "sender": sender, "correlation_id": correlation_id}
    partial.write_text(json.dumps(body), encoding="utf-8")
    os.replace(partial, paths.inbox / name)


def pending(paths: JobPaths, attempt: int) -> list[InboxCommand]:
    """The commands that wait for `attempt`, oldest first. Those for earlier attempts and what is unreadable go."""
    try:
        names = sorted(name for name in os.listdir(paths.inbox) if not name.startswith("."))
    except FileNotFoundError:
        return []
    messages = []
    for name in names:
        message = _read(paths.inbox / name)
        if message is None or message.attempt < attempt:
            (paths.inbox / name).unlink(missing_ok=True)
        elif message.attempt == attempt:
            messages.append(message)
    return messages


def done(message: InboxCommand) -> None:
    """Remove an obeyed command."""
    message.path.unlink(missing_ok=True)


def _read(path: Path) -> InboxCommand | None:
    try:
        body = json.loads(path.read_bytes())
        return InboxCommand(
            Command(body["command"]), int(body["attempt"]), str(body["sender"]), str(body["correlation_id"]), path
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
