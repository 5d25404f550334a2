"""Readings and warnings of a run as they reach the journal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from isengard.core.paths import DataDir, JobPaths
from isengard.core.redaction import Redactor
from isengard.events.models import EventName, Level
from isengard.events.reports import Report
from isengard.execution.outbox import Outbox
from isengard.execution.recorder import Recorder
from isengard.execution.run_monitor import RunMonitor
from isengard.execution.watch_rules import Limits
from isengard.journal import Entry, JournalReader, JournalWriter


@pytest.fixture
def paths(tmp_path: Path) -> JobPaths:
    made = DataDir(tmp_path).job("train-monitor")
    made.make()
    return made


@pytest.fixture
def journal(paths: JobPaths) -> Iterator[JournalWriter]:
    with JournalWriter.open(paths, service="runner", redactor=Redactor(), correlation_id="c") as opened:
        yield opened


def of(paths: JobPaths, event: str) -> list[Entry]:
    return [entry for entry in JournalReader(paths).read() if entry.event == event]


def logged(paths: JobPaths) -> list[Entry]:
    return of(paths, EventName.LOG)


async def test_a_machine_without_a_gpu_is_read_and_a_nearly_full_disk_is_told_once(
    paths: JobPaths, journal: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isengard.execution.run_monitor._FIRST_S", 0.01)
    run_monitor = RunMonitor(Outbox(journal), paths, Limits(disk_free_mb=1e12), every_s=0.01)

    running = asyncio.create_task(run_monitor.run())
    async with asyncio.timeout(20):
        while len(of(paths, EventName.GPU_METRICS)) < 2:  # noqa: ASYNC110 - polls a file
            await asyncio.sleep(0.02)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running

    readings = [entry.fields["system"] for entry in of(paths, EventName.GPU_METRICS)]
    assert all(reading["ram_total_mb"] > 100 and reading["disk_free_mb"] > 0 for reading in readings)
    warnings = [entry for entry in logged(paths) if entry.level == "WARN"]
    assert [entry.fields["rule"] for entry in warnings] == ["disk"]


def test_a_loss_that_is_no_number_is_warned_of_through_the_recorder(paths: JobPaths, journal: JournalWriter) -> None:
    outbox = Outbox(journal)
    recorder = Recorder(outbox, paths, attempt=1, steps_total=10)
    recorder.run_monitor = RunMonitor(outbox, paths, Limits(), every_s=0)

    recorder.report(Report(EventName.TRAINING_STEP, {"step": 1, "loss": 0.5}))
    recorder.report(Report(EventName.TRAINING_STEP, {"step": 2}, level=Level.WARN))
    recorder.report(Report(EventName.TRAINING_STEP, {"step": 3}, level=Level.WARN))

    assert [entry.fields["rule"] for entry in logged(paths)] == ["nan"]


async def test_no_readings_are_taken_when_the_setting_says_so(paths: JobPaths, journal: JournalWriter) -> None:
    await asyncio.wait_for(RunMonitor(Outbox(journal), paths, Limits(), every_s=0).run(), 5)

    assert logged(paths) == []
