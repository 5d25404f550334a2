"""Starts runners on this machine: prepares what one needs and lets it go, in a session of its own.

A runner is no part of the worker that started it; it is found again by its lock. Never waits for one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from isengard.core.correlation import Correlation
from isengard.core.errors import InvalidInput, StorageError
from isengard.core.paths import JobPaths
from isengard.core.settings import Settings
from isengard.core.tracing import attempt_span
from isengard.execution import gpus, runner_lock
from isengard.execution.artifacts import delivers, open_artifacts, recovery
from isengard.execution.capacity import Capacity, gpus_wanted
from isengard.execution.checkpoints import Start
from isengard.execution.gpus import NOTHING_SHARED, GpuPool, Share
from isengard.execution.spec import RunSpec
from isengard.jobs.models import Character, Job
from isengard.journal import JobFold, JournalReader
from isengard.trainers import jobfile
from isengard.trainers.base import TrainingJob

_NOT_FOR_TRAINERS = (
    "ISENGARD_TOKEN",
    "ISENGARD_DATABASE_URL",
    "ISENGARD_REDIS_URL",
    "ISENGARD_ARTIFACTS_URL",
    "ISENGARD_OTLP_ENDPOINT",
)
_STORE_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""Withheld where they are those of the store of artifacts; a training that needs some of its own is given them."""


@dataclass(frozen=True, slots=True)
class Echo:
    """Where a runner copies what the trainer prints, for somebody who looks on.

    Attributes:
        pipes: The writing ends of a pipe for stdout and one for stderr; empty for nobody.
    """

    pipes: tuple[int, ...] = ()


NO_ECHO = Echo()


@dataclass(frozen=True, slots=True)
class Runner:
    """A runner that this process started."""

    popen: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.popen.pid

    def exit_code(self) -> int | None:
        """Its exit code, negative for a signal; None while it lives."""
        return self.popen.poll()


class LocalLauncher:
    """Launches runners for one data folder.

    Args:
        pool: The GPUs to give out; None for a launcher that leaves every runner what this process sees.
    """

    def __init__(self, settings: Settings, pool: GpuPool | None = None) -> None:
        self._settings = settings
        self._gpus = pool or GpuPool(settings.paths)

    @classmethod
    def sharing_gpus(cls, settings: Settings) -> LocalLauncher:
        """One that gives every run the GPUs it asks for and hides the others; raises StartupError."""
        pool = GpuPool(settings.paths, gpus.found(settings, os.environ))
        with contextlib.suppress(OSError):  # only the list for people is missing then
            pool.announce()
        return cls(settings, pool)

    def capacity(self) -> Capacity:
        """What is free for further jobs now."""
        return Capacity(total=len(self._gpus.names), free=self._gpus.free())

    def launch(self, job: Job, character: Character) -> Runner | None:
        """Start the runner of `job`'s present attempt; None if a runner of the job lives already.

        Raises:
            StorageError: The job's folder cannot be written, or its GPUs have just been taken.
            InvalidInput: It wants more GPUs than there are.
            OSError: The process cannot be started.
        """
        paths = self._settings.paths.job(job.id)
        try:
            paths.make()
            lock = runner_lock.take(paths)
        except OSError as error:
            raise StorageError(f"the folder of job {job.id} cannot be written: {error.strerror}") from error
        if lock is None:
            return None
        try:
            with self._gpus.take(gpus_wanted(job), job.id) as share:
                return self.launch_locked(job, character, lock, share=self._enough(job, share))
        finally:
            os.close(lock)  # the runner's copy keeps it locked

    def launch_locked(
        self, job: Job, character: Character, lock: int, echo: Echo = NO_ECHO, share: Share = NOTHING_SHARED
    ) -> Runner:
        """Like `launch`, by a caller who holds the runner's lock and the GPUs' and closes them afterwards."""
        paths = self._settings.paths.job(job.id)
        self._write_spec(job, character, paths)
        return self._start(job, paths, lock, echo, share)

    def _enough(self, job: Job, share: Share | None) -> Share:
        if share is not None:
            return share
        wanted, there = gpus_wanted(job), len(self._gpus.names)
        if wanted > there:
            raise InvalidInput(f"it asks for {wanted} GPUs, and this machine gives out {there}", field="config.gpus")
        raise StorageError(f"{wanted} GPUs are not free any more")

    def _write_spec(self, job: Job, character: Character, paths: JobPaths) -> None:
        try:
            jobfile.write(self.spec(job, character, paths), paths.spec)
        except OSError as error:
            raise StorageError(f"the folder of job {job.id} cannot be written: {error.strerror}") from error

    def spec(self, job: Job, character: Character, paths: JobPaths) -> RunSpec:
        """What the runner of the job's present attempt is to do."""
        start = self._bring_checkpoint(paths) if job.attempt > 1 else Start()
        name = f"{_slug(character.trigger_word)}-{job.id.removeprefix('train-')}.safetensors"
        output = paths.trainer / "output" / name
        output.parent.mkdir(exist_ok=True)
        output.unlink(missing_ok=True)
        story = _story(job, paths)
        return RunSpec(
            trainer=job.trainer,
            job=TrainingJob(
                job_id=job.id,
                correlation_id=story.id,
                character_id=character.id,
                character_name=character.name,
                trigger_word=character.trigger_word,
                config=job.config,
                dataset=paths.dataset,
                samples=paths.samples,
                checkpoints=paths.checkpoints,
                workdir=paths.trainer,
                output=output,
                attempt=job.attempt,
                resume_from=start.checkpoint,
                start_step=start.step,
            ),
            images=None if job.is_attended else self._settings.paths.uploads(character.id),
            lora=self._settings.paths.loras(character.id) / name,
            traceparent=story.traceparent,
            grace_period_s=self._settings.grace_period_s,
            claim=job.fence if job.is_attended else None,
        )

    def _start(self, job: Job, paths: JobPaths, lock: int, echo: Echo, share: Share) -> Runner:
        with runner_log(paths).open("ab") as log:
            popen = subprocess.Popen(
                runner_program(self._settings, job.id, lock, echo),
                env=self.environment(job) | share.environment(),
                cwd=paths.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock, *echo.pipes, *share.descriptors),
                start_new_session=True,
            )
        return Runner(popen)

    def _bring_checkpoint(self, paths: JobPaths) -> Start:
        try:
            return recovery.bring_newest(paths, open_artifacts(self._settings))
        except OSError as error:
            raise StorageError(f"the checkpoint of {paths.job_id} cannot be written: {error.strerror}") from error

    def environment(self, job: Job) -> dict[str, str]:
        """Ours without what only servers need, with the settings that this process was given by option."""
        withheld = {*_NOT_FOR_TRAINERS, *(_STORE_CREDENTIALS if delivers(self._settings) else ())}
        env = {name: value for name, value in os.environ.items() if name not in withheld}
        story = _story(job, self._settings.paths.job(job.id)).below(attempt_span(job.id, job.attempt))
        return {**env, **settings_as_environment(self._settings), **story.environment()}


def _story(job: Job, paths: JobPaths) -> Correlation:
    """What the present attempt belongs to: a resumed one to the request that resumed it, in the trace of the job."""
    resumed_by = JobFold.read(JournalReader(paths)).correlation_id if job.attempt > 1 else None
    return Correlation(resumed_by or job.correlation_id, job.traceparent)


def runner_program(settings: Settings, job_id: str, lock: int, echo: Echo = NO_ECHO) -> list[str]:
    """Program and arguments of a runner that inherits `lock`, its open ``runner.lock``."""
    options = ["--lock-fd", str(lock), "--data-dir", str(settings.data_dir)]
    for pipe in echo.pipes:
        options += ["--echo-fd", str(pipe)]
    return [sys.executable, "-m", "isengard.execution.runner", *options, job_id]


def runner_log(paths: JobPaths) -> Path:
    """Where a runner's own stderr goes: empty unless the runner itself fails."""
    return paths.trainer / "runner.log"


def last_words(paths: JobPaths) -> str:
    """The last line a failed runner left on its own stderr."""
    with contextlib.suppress(OSError):
        lines = runner_log(paths).read_text("utf-8", "replace").strip().splitlines()
        return lines[-1][:500] if lines else ""
    return ""


def settings_as_environment(settings: Settings) -> dict[str, str]:
    """The settings that were given, as the variables they come from; secrets stay out."""
    return {
        f"ISENGARD_{name.upper()}": _as_text(getattr(settings, name))
        for name in sorted(settings.model_fields_set)
        if getattr(settings, name) is not None and not isinstance(getattr(settings, name), SecretStr)
    }


def _as_text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | list | dict | tuple) else str(value)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "lora"
