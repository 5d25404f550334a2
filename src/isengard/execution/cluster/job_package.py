"""What a host needs to run a job: the facts, the journal so far, the images, the checkpoint to go on from, the secrets.

The facts come with the answer to ``begin``, and so do the secrets, sealed for the host that asks; the files are named
in it and fetched one after the other.
Never gives a job out twice: the second host to ask for a run that has begun is refused.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from isengard.core.errors import Conflict
from isengard.core.paths import DataDir, JobPaths
from isengard.core.settings import Settings
from isengard.datasets import survey
from isengard.datasets.captions import SUFFIX
from isengard.execution import checkpoints, job_secrets
from isengard.execution.artifacts.job_upload import STATES
from isengard.execution.cluster import runs, sealing
from isengard.execution.cluster.file_transfer import Fetcher, GaveUp, SharedFiles
from isengard.execution.cluster.runs import RemoteRun
from isengard.execution.cluster.sealing import Unsealer
from isengard.jobs.models import Character, Job, JobStatus
from isengard.jobs.store import Store
from isengard.journal import JobFold, JournalReader

IMAGES = "images"
"""The folder in a host's job folder where the character's uploads are put."""


@dataclass(frozen=True, slots=True)
class JobPackage:
    """All but the files.

    Attributes:
        files: Names below the site's data folder, the journal first.
        secrets: Given to the job.
    """

    job: Job
    character: Character
    run: RemoteRun
    files: list[str]
    secrets: dict[str, str]


def pack(settings: Settings, store: Store, job_id: str, attempt: int, host: str, asked: str) -> JobPackage:
    """Hand the job out to `host`: from now on its run is the one that counts. Asked again, it is the same run.

    Raises:
        Conflict: The job does not wait for this attempt's runner.
        NotFound: There is no such job.
        OSError: The disk refused.
    """
    job = store.get_job(job_id)
    paths = settings.paths.job(job_id)
    fold = JobFold.read(JournalReader(paths))
    if job.status is not JobStatus.RUNNING or job.attempt != attempt:
        raise Conflict(f"job {job_id} is {job.status} with attempt {job.attempt}; attempt {attempt} is not wanted")
    if fold.status != "queued" or fold.attempt != attempt:
        raise Conflict(f"attempt {attempt} of job {job_id} has begun elsewhere")
    run = runs.read(paths)
    if run is None or (run.attempt, run.asked) != (attempt, asked):
        run = runs.new(job_id, attempt, host, asked)
        runs.write(paths, run)
    files = [paths.journal, *_images(settings.paths, job.character_id), *_checkpoint(paths, attempt)]
    return JobPackage(
        job,
        store.get_character(job.character_id),
        run,
        [path.relative_to(settings.data_dir).as_posix() for path in files],
        job_secrets.read(settings.paths.job_secrets(job_id)),
    )


def shared_files(settings: Settings, job: Job) -> SharedFiles:
    """What a host may fetch for the job."""
    paths = settings.paths.job(job.id)
    parts = (paths.journal, paths.checkpoints, settings.paths.uploads(job.character_id))
    return SharedFiles(settings.data_dir, parts)


def encode(package: JobPackage, key: str) -> dict[str, Any]:
    """For a message to the host that sent `key` with its question; raises `Conflict` if it sent none."""
    found: dict[str, Any] = msgspec.to_builtins(dataclasses.replace(package, secrets={}))
    if package.secrets:
        found["sealed"] = sealing.seal(package.secrets, key, package.run.channel)
    return found


def decode(content: dict[str, Any], unsealer: Unsealer) -> JobPackage:
    """From a message; raises `Conflict` if its secrets were not sealed for this host."""
    package = msgspec.convert(content, JobPackage, strict=False)
    if "sealed" not in content:
        return package
    return dataclasses.replace(package, secrets=unsealer.open(str(content["sealed"]), package.run.channel))


async def unpack(settings: Settings, package: JobPackage, fetcher: Fetcher) -> None:
    """Bring everything into this host's data folder; what an earlier run of the job left there is replaced.

    Raises:
        GaveUp: The site has given the run up, or has not what it promised.
        OSError, StorageError: The disk refused.
    """
    paths = settings.paths.job(package.job.id)
    paths.make()
    if package.secrets:
        job_secrets.write(settings.paths.job_secrets(package.job.id), package.secrets)
    for name in package.files:
        if not await fetcher.fetch(name, _target(settings.paths, paths, name)):
            raise GaveUp(f"the site does not give {name} out any more")


def _target(data: DataDir, paths: JobPaths, name: str) -> Path:
    path = Path(name)
    return paths.root / IMAGES / path.name if path.parts[0] == "uploads" else data.root / path


def _images(data: DataDir, character_id: str) -> list[Path]:
    images = survey.images_in(data.uploads(character_id))
    captions = [caption for image in images if (caption := image.with_suffix(SUFFIX)).is_file()]
    return [*images, *captions]


def _checkpoint(paths: JobPaths, attempt: int) -> list[Path]:
    """The checkpoint to go on from, behind what its trainer keeps beside it for that."""
    start = checkpoints.newest(paths) if attempt > 1 else checkpoints.Start()
    if start.checkpoint is None:
        return []
    return [*(paths.checkpoints / STATES).glob(f"{start.checkpoint.stem}.*"), start.checkpoint]
