"""What is fuzzed of the way from a trainer to the journal: what it prints, to every observer; what it reports."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from isengard.core.paths import DataDir, JobPaths
from isengard.core.redaction import Redactor
from isengard.events.reports import Report
from isengard.execution.outbox import Outbox
from isengard.execution.recorder import Recorder
from isengard.execution.spool import SpoolReader
from isengard.journal import Entry, JournalReader, JournalWriter
from isengard.trainers.aitoolkit.parameters import AIToolkitParameters
from isengard.trainers.aitoolkit.trainer import AIToolkitTrainer
from isengard.trainers.base import Ending, Observer, TrainingJob
from isengard.trainers.causes import Evidence, diagnose
from isengard.trainers.command import profile
from isengard.trainers.command.files import OutputFiles
from isengard.trainers.command.observer import CommandObserver
from isengard.trainers.command.profile import Profile

_JOB = "train-fuzzed"
_STREAMS = ("stderr", "stdout", "stderr")


@contextmanager
def job_folder() -> Iterator[JobPaths]:
    """The folder of a job, in memory where there is one to have."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    try:
        paths = DataDir(folder).job(_JOB)
        paths.make()
        yield paths
    finally:
        shutil.rmtree(folder)


@cache
def _job() -> TrainingJob:
    """A job of which observers are only shown lines; its empty folder lives as long as the process."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    paths = DataDir(folder).job(_JOB)
    paths.make()
    return TrainingJob(
        job_id=_JOB,
        correlation_id="corr-fuzzed",
        character_id="char-fuzzed",
        character_name="Pip",
        trigger_word="pip",
        config=AIToolkitParameters(steps=100).model_dump(mode="json"),
        dataset=paths.dataset,
        samples=paths.samples,
        checkpoints=paths.checkpoints,
        workdir=paths.trainer,
        output=folder / "lora.safetensors",
    )


@cache
def _profiles() -> list[tuple[Profile, OutputFiles]]:
    known = [profile.load(name) for name in profile.names()]
    return [(each, OutputFiles(_job().samples, each, "lora")) for each in known]


def _observers() -> Iterator[Observer]:
    for each, files in _profiles():
        yield CommandObserver(_job(), each, files, needs_lora=True)
    yield AIToolkitTrainer().observer(_job())


def observe_lines(data: bytes) -> None:
    """Whatever a program prints, no observer fails, and all they tell becomes lines of the journal."""
    lines = data.decode("utf-8", "replace").splitlines()
    told: list[Report] = []
    for observer in _observers():
        for stream, text in zip(itertools.cycle(_STREAMS), lines, strict=False):
            told += observer.line(stream, text)
        told += observer.ended()
        verdict = observer.verdict(Ending(1, stop_requested=False, last_lines=tuple(lines[-50:])))
        assert verdict.outcome == "failed"
        diagnose(Evidence(verdict.error_type or "", verdict.error or "", verdict.error_stack or "", lines[-50:]))
    if told:
        _journal_reports(told)


def _journal_reports(reports: list[Report]) -> None:
    with job_folder() as paths:
        with _journal(paths) as journal:
            recorder = Recorder(Outbox(journal), paths, attempt=1, steps_total=100)
            for report in reports:
                recorder.report(report)
        _check(paths, len(reports))


def take_reports(data: bytes) -> None:
    """Whatever stands in the spool, every line of it becomes one line of the journal, in order."""
    with job_folder() as paths:
        paths.reports.write_bytes(data)
        spool = SpoolReader(paths.reports)
        with _journal(paths) as journal:
            recorder = Recorder(Outbox(journal), paths, attempt=1, steps_total=100)
            for item in spool.rest():
                recorder.report(item.report, item.number)
        spool.close()
        entries = _check(paths, len(data.removesuffix(b"\n").split(b"\n")) if data else 0)
        assert [entry.fields["report"] for entry in entries] == [entry.seq for entry in entries]


@cache
def _redactor() -> Redactor:
    return Redactor()


def _journal(paths: JobPaths) -> JournalWriter:
    return JournalWriter.open(paths, service="runner", redactor=_redactor(), correlation_id="corr-fuzzed")


def _check(paths: JobPaths, count: int) -> list[Entry]:
    entries = [Entry.parse(line) for line in paths.journal.read_bytes().splitlines(keepends=True)]
    assert [entry.seq for entry in entries] == list(range(1, count + 1))
    assert JournalReader(paths).read(limit=count + 1) == entries
    return entries
