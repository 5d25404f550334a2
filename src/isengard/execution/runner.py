"""The runner: one process per running job, which owns its journal and outlives whoever launched it.

    python -m isengard.execution.runner [--lock-fd N] [--echo-fd N …] --data-dir DIR train-…

It ignores SIGHUP and takes SIGTERM and SIGINT as a cancel: the training is asked to save and stop, and the job can be
resumed. A server that shuts down does not send them; the runner is in a session of its own. Exit codes: 0 the job's
journal has its terminal line; 2 this runner had nothing to do or could not begin, and wrote nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from isengard.core.correlation import Correlation, bind
from isengard.core.errors import IsengardError, StorageError
from isengard.core.paths import JobPaths
from isengard.core.redaction import Redactor
from isengard.core.settings import load
from isengard.events.models import EventName, Level
from isengard.execution import attachment, config_secrets, job_secrets, markers, process, runner_lock, spool, wake
from isengard.execution.cluster import runs
from isengard.execution.dead_runner import last_report, recorder_from
from isengard.execution.followers import Nudges
from isengard.execution.outbox import Outbox
from isengard.execution.recorder import Recorder
from isengard.execution.run import Place, Run
from isengard.execution.spec import RunSpec
from isengard.execution.throughput import Schedule, Throughput
from isengard.execution.writing import open_writer
from isengard.journal import JobFold, JournalReader, JournalWriter
from isengard.journal.notify import watch
from isengard.trainers import jobfile

SERVICE = "runner"
NOTHING_TO_DO = 2


def main(arguments: Sequence[str]) -> int:
    """Run one job; returns the exit code."""
    parser = argparse.ArgumentParser(prog="isengard-runner", description="Runs one job of an Isengard data folder.")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--lock-fd", type=int, help="runner.lock of the job, open and locked")
    parser.add_argument(
        "--echo-fd", type=int, action="append", default=[], help="a pipe that gets the output; the second gets stderr"
    )
    parser.add_argument("job_id")
    chosen = parser.parse_args(arguments)
    try:
        settings = load(data_dir=chosen.data_dir)
        paths = settings.paths.job(chosen.job_id)
        if not _hold_lock(paths, chosen.lock_fd):
            return _decline(f"job {chosen.job_id} has a runner already")
        spec = jobfile.read(paths.spec, RunSpec)
        secrets = job_secrets.read(settings.paths.job_secrets(chosen.job_id))
    except (IsengardError, OSError, ValueError) as error:
        return _decline(f"cannot begin: {error}")
    redactor = Redactor.configured(os.environ, settings.redact_patterns).with_known(*secrets.values())
    spec = replace(spec, job=replace(spec.job, config=config_secrets.whole(spec.job.config, secrets)))
    with bind(Correlation(spec.job.correlation_id, spec.traceparent)):
        code = _run(Place(settings, spec, paths, redactor, config_secrets.variables(secrets), tuple(chosen.echo_fd)))
    wake.worker(settings.paths)  # it takes note of the end, and has room for the next job
    if code == 0 and spec.claim is not None:
        from isengard.execution import attended  # noqa: PLC0415 - the database, which a runner needs nowhere else

        attended.close_claim(settings, chosen.job_id, spec.claim)
    return code


def _hold_lock(paths: JobPaths, inherited: int | None) -> bool:
    """Keep ``runner.lock`` until this process ends, and keep it from the trainer."""
    descriptor = runner_lock.take(paths) if inherited is None else inherited
    if descriptor is None:
        return False
    os.set_inheritable(descriptor, False)
    runner_lock.sign(descriptor)
    return True


def _run(place: Place) -> int:
    try:
        opened = open_writer(
            place.paths, service=SERVICE, redactor=place.redactor, correlation_id=place.spec.job.correlation_id
        )
    except IsengardError as error:
        return _decline(f"cannot open the journal: {error}")
    with opened as journal:
        fold = JobFold.read(JournalReader(place.paths))
        if not _is_due(place, fold):
            return _decline(f"job {place.paths.job_id} is not waiting for attempt {place.spec.job.attempt}")
        process.become_subreaper()
        asyncio.run(_live(place, journal, fold))
    return 0


def _is_due(place: Place, fold: JobFold) -> bool:
    """Whether the journal still waits for this attempt: it may have been cancelled or resumed in the meantime.

    What follows a script that lives goes on after a runner that died.
    """
    waits = fold.status == "queued" or (fold.terminal_seq is None and attachment.is_alive(place.paths))
    return waits and fold.attempt == place.spec.job.attempt


async def _live(place: Place, journal: JournalWriter, fold: JobFold) -> None:
    nudges = Nudges()
    if fold.status == "queued":
        recorder, read_before = _begin(place, journal), 0
    else:
        recorder, read_before = _go_on(place, journal, fold)
    run = Run(place, recorder, nudges, spool.of_job(place.paths, read_before))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, run.cancel, f"the runner received {number.name}")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    watching = [
        asyncio.create_task(_watch(place.paths.inbox, nudges.of_command)),
        asyncio.create_task(_watch(place.paths.reports, nudges.of_report)),
    ]
    try:
        await run.go()
    finally:
        for each in watching:
            each.cancel()
        await asyncio.gather(*watching, return_exceptions=True)


def _begin(place: Place, journal: JournalWriter) -> Recorder:
    job = place.spec.job
    recorder = Recorder(
        Outbox(journal),
        place.paths,
        attempt=job.attempt,
        steps_total=int(job.config.get("steps") or 0),
        step=job.start_step,
        throughput=Throughput(schedule=Schedule.of(job.config)),
    )
    if attachment.followed(place.paths) is None:  # what is followed may have reported already
        markers.clear(place.paths)  # a run that died left them; whoever wrote its death has journaled its reports
    place.paths.reports.touch(mode=0o600)  # there from the beginning, so that it can be watched
    recorder.job(
        EventName.JOB_STARTED,
        f"attempt {job.attempt} started",
        trainer=place.spec.trainer,
        pid=os.getpid(),
        host=os.uname().nodename,
        hosted=True if _is_hosted(place) else None,
        gpus=_gpus(os.environ),
    )
    return recorder


def _is_hosted(place: Place) -> bool:
    """Whether this host runs the attempt for a site elsewhere."""
    run = runs.read(place.paths)
    return run is not None and run.attempt == place.spec.job.attempt


def _gpus(environment: Mapping[str, str]) -> list[str] | None:
    """The GPUs that this run was given; None where they are not given out."""
    given = environment.get("CUDA_VISIBLE_DEVICES")
    return None if given is None else [name for name in given.split(",") if name]


def _go_on(place: Place, journal: JournalWriter, fold: JobFold) -> tuple[Recorder, int]:
    """A recorder behind what a dead runner has written, and how many reports that were."""
    recorder = recorder_from(Outbox(journal), place.paths, fold, int(place.spec.job.config.get("steps") or 0))
    recorder.log("the runner died; another one goes on", Level.WARN, pid=os.getpid())
    return recorder, last_report(JournalReader(place.paths), fold.last_seq)


async def _watch(path: Path, nudge: Callable[[], None]) -> None:
    """Call `nudge` whenever something may have come there."""
    with contextlib.suppress(StorageError):  # no watch left to give: everything is looked at once a second anyway
        async for _ in watch(path):
            nudge()


def _decline(reason: str) -> int:
    print(f"isengard runner: {reason}", file=sys.stderr)
    return NOTHING_TO_DO


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
