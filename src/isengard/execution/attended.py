"""Jobs that whoever makes them also starts: a command in a terminal, a script that reports by itself.

No worker is needed, and none can start such a job in between: it is born running, claimed by its maker, with its
runner's lock already taken. A worker that runs, or comes later, takes over the claim and tends it like any other; where
none does, the runner ends its own claim. One that was never started has failed, because nobody else may start it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from isengard.core import correlation as correlations
from isengard.core.errors import Conflict, Fenced, IsengardError, NotFound, StorageError
from isengard.core.paths import JobPaths, new_job_id
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.datasets.characters import Characters, check_trigger_word
from isengard.execution import config_secrets, job_secrets, lines, runner_lock, wake
from isengard.execution.dead_runner import RunnerDeath, finish_dead_run
from isengard.execution.job_supervisor import ending
from isengard.execution.launcher_local import NO_ECHO, Echo, LocalLauncher, Runner
from isengard.jobs.leases import folder_identity
from isengard.jobs.models import ATTENDED, Character, Job, JobStatus
from isengard.jobs.store import Store, open_store
from isengard.journal import JobFold, JournalReader


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run.

    Attributes:
        trainer: ``command`` or ``script``.
        config: What is known of it; nothing is filled up with defaults that the training never heard of.
        character: What it is filed under.
        steps: How many there will be; 0 where nobody knows.
        job_id: The job's id, where its maker has used it already.
    """

    trainer: str
    config: Mapping[str, Any]
    character: Character
    steps: int = 0
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A job and the runner that this process started for it."""

    job: Job
    runner: Runner


def file_under(settings: Settings, store: Store, name: str) -> Character:
    """The newest character called `name`, made without images if there is none; raises `InvalidInput`."""
    name = Redactor.configured(os.environ, settings.redact_patterns).text(name)
    characters = Characters(store, settings.paths)
    found = next((each for each in characters.list() if each.name == name), None)
    return found or characters.create(name, _trigger_word(name))


def begin(settings: Settings, store: Store, plan: Plan, *, echo: Echo = NO_ECHO) -> Begun:
    """Make a job and start its runner at once.

    Args:
        echo: Where the runner is to copy what the command prints, as it comes.

    Raises:
        Conflict: The job has a runner already.
        StorageError: The disk or database refused; there is no job.
    """
    story = correlations.current() or correlations.from_environment(os.environ)
    config, hidden = config_secrets.part(settings, plan.config, {})
    job = Job(
        id=plan.job_id or new_job_id(),
        character_id=plan.character.id,
        trainer=plan.trainer,
        config=config,
        correlation_id=story.id,
        traceparent=story.traceparent,
        created_at=datetime.now(UTC),
        total_steps=plan.steps,
        requirements={ATTENDED: True},
        has_secrets=bool(hidden),
    )
    with _lock(settings.paths.job(job.id)) as lock:
        claimed = _create(settings, store, job, plan.character, hidden)
        return _launch(settings, claimed, plan.character, lock, echo)


def go_on(settings: Settings, store: Store, job: Job) -> Begun:
    """Start another runner for an attended job whose runner died while what it follows lives; raises as `begin`."""
    with _lock(settings.paths.job(job.id)) as lock:
        return _launch(settings, job, _character_of(store, job), lock, NO_ECHO)


def settle(settings: Settings, store: Store, job: Job) -> bool:
    """Bring the end of a job into the store, and write it first if its runner died without a word.

    Args:
        job: As it was claimed: under another fence by now, it is a worker's and is left alone.

    Returns:
        Whether the job is over.
    """
    paths = settings.paths.job(job.id)
    if runner_lock.is_held(paths):
        return False
    if _fold(paths).terminal_seq is None:
        finish_dead_run(settings, job, RunnerDeath(runner_lock.holder(paths), None))
    _close(store, job, _fold(paths), paths)
    return True


def close_claim(settings: Settings, job_id: str, claim: int) -> None:
    """Called by the runner behind its terminal line: end its claim in the store, unless a worker has taken it over.

    Whatever goes wrong is left to the next worker: the journal has the end.
    """
    with contextlib.suppress(IsengardError), contextlib.closing(open_store(settings)) as store:
        paths = settings.paths.job(job_id)
        job = store.get_job(job_id)
        if job.fence == claim:
            _close(store, job, _fold(paths), paths)


@contextlib.contextmanager
def _lock(paths: JobPaths) -> Iterator[int]:
    """The job's folder, made, and its runner's lock, which goes over to the runner; an empty folder is taken back."""
    is_new = not paths.root.exists()
    try:
        paths.make()
        lock = runner_lock.take(paths)
    except OSError as error:
        raise StorageError(f"the folder of job {paths.job_id} cannot be written: {error.strerror}") from error
    if lock is None:
        raise Conflict(f"job {paths.job_id} has a runner already", field="job_id")
    try:
        yield lock
    finally:
        os.close(lock)
        if is_new and not paths.journal.exists():
            shutil.rmtree(paths.root, ignore_errors=True)


def _create(settings: Settings, store: Store, job: Job, character: Character, secrets: Mapping[str, str]) -> Job:
    def birth(new: Job) -> None:
        if secrets:
            job_secrets.write(settings.paths.job_secrets(new.id), secrets)
        lines.created(settings, new, character, {})

    claimed, _ = store.create_job(job, before_commit=birth, home=folder_identity(settings.data_dir))
    return claimed


def _launch(settings: Settings, job: Job, character: Character, lock: int, echo: Echo) -> Begun:
    try:
        runner = LocalLauncher(settings).launch_locked(job, character, lock, echo)
    except OSError as error:
        raise StorageError(f"the runner of job {job.id} cannot be started: {error.strerror}") from error
    finally:
        wake.worker(settings.paths)
    return Begun(job, runner)


def _character_of(store: Store, job: Job) -> Character:
    try:
        return store.get_character(job.character_id)
    except NotFound:  # removed meanwhile; the run has only its name from it
        return Character(job.character_id, job.character_id, job.character_id, job.created_at, job.created_at)


def _close(store: Store, job: Job, fold: JobFold, paths: JobPaths) -> None:
    if fold.terminal_seq is None or fold.status is None:
        return
    known = ending(fold, JournalReader(paths))
    with contextlib.suppress(Fenced, Conflict, NotFound):  # a worker has it, or it is over there too
        if "output_path" in known:
            store.update_character(job.character_id, lora_path=known["output_path"])
        store.transition(job.id, JobStatus(fold.status), fence=job.fence, **known)


def _fold(paths: JobPaths) -> JobFold:
    return JobFold.read(JournalReader(paths))


def _trigger_word(name: str) -> str:
    """A trigger word made of `name`, without what means something in prompts."""
    plain = "".join(char if char.isalnum() or char in "-_. " else "-" for char in name)
    return check_trigger_word(plain.strip() or "run")
