"""What people do with jobs: submit, cancel, resume, delete, ask for a sample or a checkpoint. API and CLI call these.

Each writes the journal inside the store's transaction, so that neither can say what the other has not heard; a crash
between the two leaves the journal ahead, and `execution/reconcile.py` makes the store follow. Starts no process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from isengard.core import correlation as correlations
from isengard.core.correlation import Correlation
from isengard.core.errors import CommitUncertain, Conflict, Fenced, IllegalTransition, InvalidInput, StorageError
from isengard.core.paths import check_character_id, check_job_id, new_job_id
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.execution import config_secrets, inbox, job_secrets, lines, settling, wake
from isengard.execution.artifacts import open_artifacts, recovery, tombstones
from isengard.execution.inbox import Command
from isengard.jobs.models import HELD, Character, Job, JobStatus
from isengard.jobs.store import Store
from isengard.trainers import registry
from isengard.trainers.base import Trainer


def submit(  # noqa: PLR0913 - one for each thing a request can say, by name only
    settings: Settings,
    store: Store,
    *,
    character_id: str,
    trainer: str | None = None,
    config: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    correlation: Correlation | None = None,
    idempotency_key: str | None = None,
    priority: int = 0,
) -> tuple[Job, bool]:
    """Queue a training.

    Args:
        trainer: Name of an installed trainer; None for the mode's default.
        config: Its parameters; missing ones take their defaults. Secrets in it are kept with `secrets`.
        secrets: Environment variables for the trainer, masked wherever they show up.
        idempotency_key: A second submission with the same key finds the first job instead of making another.
        priority: Higher goes first.

    Returns:
        The job and whether it is new.

    Raises:
        NotFound: There is no such character.
        InvalidInput: A parameter, a secret's name or the trainer is unknown or out of range, or the character has no
            images; `field` names it. `TrainerUnavailable` is one of these.
        Conflict: The idempotency key was used for something else.
        StorageError: The disk or database refused; no job was made.
    """
    name = settings.mode.default_trainer if trainer is None else trainer
    chosen = _trainer(name, settings)
    given = job_secrets.check(secrets or {})
    validated, hidden = config_secrets.part(settings, registry.validate_config(chosen, config or {}), given)
    character = _with_images(store, character_id)
    story = correlation or correlations.current() or correlations.accept(None, None)
    job = Job(
        id=new_job_id(),
        character_id=character.id,
        trainer=name,
        config=validated,
        correlation_id=story.id,
        traceparent=story.traceparent,
        created_at=datetime.now(UTC),
        total_steps=int(validated["steps"]),
        priority=priority,
        requirements=_requirements(chosen, validated),
        idempotency_key=_storable(settings, idempotency_key),
        request_fingerprint=_fingerprint(character.id, name, validated, given),
        has_secrets=bool(given or hidden),
    )
    return _create(settings, store, job, character, given | hidden, story)


def _storable(settings: Settings, key: str | None) -> str | None:
    """An idempotency key as it may be stored: of one that looks like a secret a digest, which is as good."""
    if key is None or Redactor.configured(os.environ, settings.redact_patterns).text(key) is key:
        return key
    return f"sha256-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _requirements(trainer: Trainer, config: Mapping[str, Any]) -> dict[str, Any]:
    gpus = trainer.parameters.model_validate(config).gpus_needed
    return {"gpus": gpus} if gpus else {}


def cancel(settings: Settings, store: Store, job_id: str, *, correlation: Correlation | None = None) -> Job:
    """Stop a job: at once while it is queued, else by asking its runner, which ends it within two grace periods.

    Raises:
        NotFound: There is no such job.
        Conflict: It is over already.
    """
    job = _settled(settings, store, job_id)
    if job.status is JobStatus.QUEUED:
        try:
            return _cancel_queued(settings, store, job, correlation)
        except Fenced:  # a worker has claimed it since
            job = store.get_job(job_id)
    if job.status.is_terminal:
        raise Conflict(f"job {job_id} is {job.status} already", field="status")
    return _cancel_running(settings, store, job, correlation)


def kill(settings: Settings, store: Store, job_id: str, *, correlation: Correlation | None = None) -> None:
    """Have the runner end the training at once, without giving it time to save; the job becomes cancelled.

    Raises:
        NotFound: There is no such job.
    """
    _tell_runner(settings, store.get_job(check_job_id(job_id)), Command.KILL, correlation)


def resume(
    settings: Settings,
    store: Store,
    job_id: str,
    *,
    correlation: Correlation | None = None,
    retries: int | None = None,
    not_before: datetime | None = None,
) -> Job:
    """Queue a failed or cancelled job again, to go on from its last whole checkpoint in the same journal.

    Args:
        retries: New count of automatic retries; None when a person asks.
        not_before: The earliest moment for it to start.

    Raises:
        NotFound: There is no such job.
        Conflict: It is not failed or cancelled, or its trainer cannot resume.
        Unreachable: Its checkpoint is not on this disk, and the store of artifacts does not answer.
    """
    job = _settled(settings, store, job_id)
    if job.status not in (JobStatus.FAILED, JobStatus.CANCELLED):
        raise Conflict(f"job {job_id} is {job.status}; only a failed or cancelled job can be resumed", field="status")
    if job.is_attended:
        raise Conflict(f"job {job_id} was started in a terminal or by a script; start it there again", field="trainer")
    if "resume" not in _trainer(job.trainer, settings).capabilities:
        raise Conflict(f"the trainer {job.trainer} cannot resume; start a new job", field="trainer")
    start = recovery.newest(settings.paths.job(job_id), open_artifacts(settings))
    changes: dict[str, Any] = {"attempt": job.attempt + 1, "current_step": start.step, "not_before": not_before}
    if retries is not None:
        changes["retries"] = retries

    def write(changed: Job) -> None:
        lines.resumed(settings, changed, start, _story(changed, correlation))

    try:  # under the claim that was seen: who asks at the same time may have had it resumed, and started, since
        resumed = store.transition(job_id, JobStatus.QUEUED, fence=job.fence, before_commit=write, **changes)
    except Fenced:
        raise Conflict(f"job {job_id} was resumed by somebody else just now", field="status") from None
    wake.worker(settings.paths)
    return resumed


def delete(settings: Settings, store: Store, job_id: str) -> None:
    """Remove a finished job: its row, journal, samples, checkpoints and secrets. Its finished LoRA stays.

    A store of artifacts that does not answer is emptied later.

    Raises:
        NotFound: There is no such job.
        Conflict: It is queued or running.
        StorageError: The folder or the secrets could not be removed; the job is still there.
    """
    _settled(settings, store, job_id)
    tombstone = tombstones.tombstone_of(settings.paths.job(job_id).root)
    try:
        store.delete_job(job_id, before_commit=lambda _: tombstones.set_aside(settings, job_id))
    except (StorageError, Conflict):
        with contextlib.suppress(OSError):  # a disk that refuses this too: the worker's next start puts it back
            tombstones.undo(settings, job_id)
        raise
    tombstones.close(settings, tombstone)


def request(
    settings: Settings, store: Store, job_id: str, wanted: Command, *, correlation: Correlation | None = None
) -> Job:
    """Ask a running training for a sample (`Command.SAMPLE`) or a checkpoint (`Command.SAVE`) at its next step.

    Raises:
        NotFound: There is no such job.
        Conflict: It is not running, or its trainer cannot do that.
    """
    job = store.get_job(check_job_id(job_id))
    if job.status is not JobStatus.RUNNING:
        raise Conflict(f"job {job_id} is {job.status}; only a running one can be asked for a {wanted}", field="status")
    if f"{wanted}_now" not in registry.load(job.trainer).capabilities:
        raise Conflict(f"the trainer {job.trainer} cannot {wanted} on request", field="trainer")
    _tell_runner(settings, job, wanted, correlation)
    return job


def _settled(settings: Settings, store: Store, job_id: str) -> Job:
    """The job, whose row the worker has brought to its journal's end.

    Raises:
        NotFound: There is no such job.
        Conflict: Its journal has ended, but there is no worker to take note of it.
    """
    job = settling.settled(settings.paths, store, store.get_job(check_job_id(job_id)))
    if job.status in HELD and settling.is_over(settings.paths.job(job_id), job.attempt):
        raise Conflict(
            f"job {job_id} has ended, but no worker has taken note of it; start one ('isengard worker')", field="status"
        )
    return job


def _trainer(name: str, settings: Settings) -> Trainer:
    """The trainer of a job; that it can run is asked here only where trainings run here."""
    return (registry.load_usable if settings.launcher == "local" else registry.load_allowed)(name, settings)


def _with_images(store: Store, character_id: str) -> Character:
    character = store.get_character(check_character_id(character_id))
    if character.image_count == 0:
        raise InvalidInput(
            f"the character {character.name} has no images; upload some before training", field="character_id"
        )
    return character


def _fingerprint(character_id: str, trainer: str, config: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    """The same for two requests that ask for the same; of secrets only the names count."""
    asked = [character_id, trainer, dict(config), sorted(secrets)]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _create(
    settings: Settings, store: Store, job: Job, character: Character, secrets: Mapping[str, str], story: Correlation
) -> tuple[Job, bool]:
    paths = settings.paths.job(job.id)
    secrets_file = settings.paths.job_secrets(job.id)

    def birth(new: Job) -> None:
        lines.make_folder(paths)
        if secrets:
            job_secrets.write(secrets_file, secrets)
        lines.created(settings, new, character, config_secrets.variables(secrets), parent_span=story.parent)

    try:
        created, is_new = store.create_job(job, before_commit=birth)
    except CommitUncertain:  # the row may be there; the next start compares it with the journal
        raise
    except BaseException:
        shutil.rmtree(paths.root, ignore_errors=True)
        with contextlib.suppress(OSError):  # the disk that refused the job may refuse this too; the cause is told
            secrets_file.unlink(missing_ok=True)
        raise
    if is_new:
        wake.worker(settings.paths)
    return created, is_new


def _cancel_queued(settings: Settings, store: Store, job: Job, correlation: Correlation | None) -> Job:
    def write(changed: Job) -> None:
        lines.cancelled_before_start(settings, changed, _story(changed, correlation))

    return store.transition(job.id, JobStatus.CANCELLED, fence=job.fence, before_commit=write)


def _cancel_running(settings: Settings, store: Store, job: Job, correlation: Correlation | None) -> Job:
    # The runner is told first: should this process die in between, the store follows the journal.
    _tell_runner(settings, job, Command.CANCEL, correlation)
    if job.status is JobStatus.CANCELLING:
        return job
    try:
        return store.transition(job.id, JobStatus.CANCELLING)
    except IllegalTransition:
        present = store.get_job(job.id)
        if present.status in (JobStatus.CANCELLING, JobStatus.CANCELLED):  # the worker has heard of it already
            return present
        raise


def _tell_runner(settings: Settings, job: Job, command: Command, correlation: Correlation | None) -> None:
    paths = settings.paths.job(job.id)
    try:
        inbox.put(paths, command, attempt=job.attempt, sender="control", correlation_id=_story(job, correlation).id)
    except OSError as error:
        raise StorageError(f"the runner of job {job.id} cannot be reached: {error.strerror}") from error
    wake.worker(settings.paths)


def _story(job: Job, correlation: Correlation | None) -> Correlation:
    return correlation or correlations.current() or Correlation(job.correlation_id, job.traceparent)
