"""Commands to a runner."""

from __future__ import annotations

from pathlib import Path

import pytest

from isengard.core.paths import DataDir, JobPaths
from isengard.execution import inbox
from isengard.execution.inbox import Command


@pytest.fixture
def paths(tmp_path: Path) -> JobPaths:
    made = DataDir(tmp_path).job("train-inbox")
    made.make()
    return made


def put(paths: JobPaths, command: Command, attempt: int = 1) -> None:
    inbox.put(paths, command, attempt=attempt, sender="api", correlation_id="corr-1")


def test_commands_wait_in_order_until_they_are_done(paths: JobPaths) -> None:
    put(paths, Command.SAMPLE)
    put(paths, Command.CANCEL)

    first, second = inbox.pending(paths, 1)
    assert (first.command, second.command) == (Command.SAMPLE, Command.CANCEL)
    assert (first.sender, first.correlation_id) == ("api", "corr-1")
    inbox.done(first)

    assert [message.command for message in inbox.pending(paths, 1)] == [Command.CANCEL]


def test_a_command_for_an_earlier_attempt_never_reaches_a_later_one(paths: JobPaths) -> None:
    put(paths, Command.CANCEL, attempt=1)
    put(paths, Command.SAVE, attempt=3)

    assert inbox.pending(paths, 2) == []
    assert [message.command for message in inbox.pending(paths, 3)] == [Command.SAVE]
    assert len(list(paths.inbox.iterdir())) == 1


@pytest.mark.parametrize("content", [b"", b"{", b'{"command":"rm","attempt":1}', b'{"command":"cancel"}', b"[]"])
def test_what_is_no_command_is_removed(paths: JobPaths, content: bytes) -> None:
    (paths.inbox / "junk").write_bytes(content)

    assert inbox.pending(paths, 1) == []
    assert not list(paths.inbox.iterdir())


def test_a_file_being_written_is_not_a_command_yet(paths: JobPaths) -> None:
    (paths.inbox / ".half").write_bytes(b"{")

    assert inbox.pending(paths, 1) == []
    assert list(paths.inbox.iterdir())
