"""The way into the journal past a disk that refuses for a while."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from isengard.core.errors import StorageError
from isengard.events.models import EventName, Level
from isengard.execution.outbox import MAX_WAITING, Outbox


class Disk:
    """A journal on a disk that can be full, or take the line and fail to confirm it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.full = False
        self.unconfirmed = False

    @property
    def last_seq(self) -> int:
        return len(self.lines)

    def append(
        self,
        event: str,
        msg: str,
        fields: Mapping[str, Any],
        *,
        level: Level,
        ts: str | None,
        correlation_id: str | None,
    ) -> int:
        del event, fields, level, ts, correlation_id
        if self.full:
            raise StorageError("the disk is full")
        self.lines.append(msg)
        if self.unconfirmed:
            raise StorageError("fsync failed")
        return len(self.lines)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def outbox(disk: Disk) -> Outbox:
    return Outbox(disk)  # type: ignore[arg-type]


def test_what_was_put_while_the_disk_was_full_comes_first_and_in_order(disk: Disk, outbox: Outbox) -> None:
    disk.full = True
    outbox.put(EventName.LOG, "one", {})
    outbox.put(EventName.LOG, "two", {})
    with pytest.raises(StorageError):
        outbox.append(EventName.TRAINING_STEP, "report", {})
    assert outbox.fault == "the disk is full"

    disk.full = False
    outbox.append(EventName.TRAINING_STEP, "report", {})

    assert disk.lines == ["one", "two", "report"]
    assert outbox.fault is None


def test_beyond_its_bound_it_counts_and_tells_but_never_drops_a_job_line(disk: Disk, outbox: Outbox) -> None:
    disk.full = True
    for number in range(MAX_WAITING + 5):
        outbox.put(EventName.SUBPROCESS_STDOUT, str(number), {})
    outbox.put(EventName.JOB_FAILED, "the end", {})

    disk.full = False
    assert outbox.flush()

    assert disk.lines[:MAX_WAITING] == [str(number) for number in range(MAX_WAITING)]
    assert disk.lines[MAX_WAITING:] == ["the end", "5 lines were left out while the disk refused to write"]


def test_a_line_that_is_written_but_not_confirmed_is_not_written_twice(disk: Disk, outbox: Outbox) -> None:
    disk.unconfirmed = True

    outbox.append(EventName.JOB_COMPLETED, "done", {})
    outbox.flush()

    assert disk.lines == ["done"]
    assert outbox.fault == "fsync failed"
