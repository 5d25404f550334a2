"""The files a job left, as the API lists them: what lies on disk, described by what the journal says of it.

A file that no journal line tells of (one still being written) is not listed, nor is a line whose file is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from isengard.api.files import content_type, version, within
from isengard.api.schemas.jobs import Artifact
from isengard.core.errors import NotFound
from isengard.core.paths import DataDir, JobPaths
from isengard.events.models import EventName
from isengard.execution import keeping
from isengard.jobs.models import Job
from isengard.journal import Entry, JournalReader

_PAGE = 1000
Kind = Literal["sample", "checkpoint", "model"]
FindFile = Callable[[str], Path]


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The artifacts of one job."""

    data: DataDir
    reader: JournalReader
    job: Job

    @property
    def paths(self) -> JobPaths:
        """The job's folder."""
        return self.reader.paths

    def all(self) -> list[Artifact]:
        """Samples and checkpoints in the order they were made, then the finished model."""
        return [*self._samples(), *self._checkpoints(), *self._models()]

    def sample(self, filename: str) -> Path:
        """The sample file; raises `NotFound`."""
        return within(self.paths.samples, filename)

    def checkpoint(self, filename: str) -> Path:
        """The checkpoint file, the kept one where the trainer has removed its own; raises `NotFound`."""
        try:
            return within(self.paths.checkpoints, filename)
        except NotFound:
            return within(keeping.folder(self.paths), filename)

    def model(self) -> Path:
        """The finished LoRA; raises `NotFound` while there is none.

        The journal names it, ahead of the store; where it lies follows from the job, so that a data folder may move.
        """
        ended = self.reader.page(events=[EventName.JOB_COMPLETED], limit=1, order="desc").entries
        told = ended[0].fields.get("output_path") if ended else self.job.output_path
        if not isinstance(told, str):
            raise NotFound(f"job {self.job.id} has no finished model", field="job_id")
        return within(self.data.loras(self.job.character_id), Path(told).name)

    def described_checkpoint(self, filename: str) -> Artifact:
        """One checkpoint as it is listed; raises `NotFound`."""
        self.checkpoint(filename)
        found = next((each for each in self._checkpoints() if each.name == filename), None)
        if found is None:
            raise NotFound(f"there is no checkpoint {filename[:200]!r} in job {self.job.id}", field="filename")
        return found

    def _samples(self) -> Iterator[Artifact]:
        for entry, path in self._told(EventName.TRAINING_SAMPLE, "sample_path", self.sample):
            yield self._artifact("sample", f"samples/{quote(path.name)}", path, entry)

    def _checkpoints(self) -> Iterator[Artifact]:
        kept = keeping.kept(self.paths)
        for entry, path in self._told(EventName.TRAINING_CHECKPOINT, "checkpoint_path", self.checkpoint):
            listed = self._artifact("checkpoint", f"checkpoints/{quote(path.name)}", path, entry)
            yield listed.model_copy(update={"kept": path.name in kept})

    def _models(self) -> Iterator[Artifact]:
        try:
            path = self.model()
        except NotFound:
            return
        listed = self._artifact("model", "model", path, None)
        yield listed.model_copy(update={"step": self.job.current_step, "attempt": self.job.attempt})

    def _told(self, event: EventName, field: str, find: FindFile) -> Iterator[tuple[Entry, Path]]:
        """The files that lines of `event` tell of in `field`; where one name comes again, only its newest line."""
        newest: dict[str, Entry] = {}
        for entry in _entries(self.reader, event):
            name = entry.fields.get(field)
            if isinstance(name, str):
                newest.pop(name, None)
                newest[name] = entry
        for name, entry in newest.items():
            try:
                yield entry, find(name)
            except NotFound:
                continue

    def _artifact(self, kind: Kind, address: str, path: Path, entry: Entry | None) -> Artifact:
        found = path.stat()
        fields = entry.fields if entry else {}
        return Artifact(
            name=path.name,
            type=kind,
            step=fields.get("step"),
            size_bytes=found.st_size,
            created_at=datetime.fromtimestamp(found.st_mtime, UTC),
            url=f"/api/jobs/{self.job.id}/artifacts/{address}?v={version(found)}",
            content_type=content_type(path.name),
            attempt=fields.get("attempt"),
            seq=entry.seq if entry else None,
            prompt=fields.get("sample_prompt"),
            index=fields.get("sample_index"),
            seed=fields.get("sample_seed"),
            kept=False,
        )


def _entries(reader: JournalReader, event: EventName) -> Iterator[Entry]:
    offset = 0
    while True:
        page = reader.page(events=[event], limit=_PAGE, offset=offset)
        yield from page.entries
        offset += len(page.entries)
        if not page.has_more:
            return
