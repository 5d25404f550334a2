"""The files a job left, as the API lists them: on this disk, else in the store of artifacts; described by the journal.

A file that no journal line tells of (one still being written) is not listed, nor is a line whose file is gone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from isengard.api.contents import Content, DiskFile, StoredFile
from isengard.api.files import content_type, is_plain, within
from isengard.api.schemas.jobs import Artifact
from isengard.core.errors import NotFound, Unreachable
from isengard.core.paths import DataDir, JobPaths
from isengard.events.models import EventName
from isengard.execution import kept_checkpoints
from isengard.execution.artifacts import ArtifactStore, Stored
from isengard.execution.artifacts.store import job_key, lora_key
from isengard.jobs.models import Job
from isengard.journal import Entry, JournalReader

_PAGE = 1000
Kind = Literal["sample", "checkpoint", "model"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The artifacts of one job.

    Attributes:
        store: Where they are looked for if they are not on this disk; None for nowhere else.
    """

    data: DataDir
    reader: JournalReader
    job: Job
    store: ArtifactStore | None = None

    @property
    def paths(self) -> JobPaths:
        """The job's folder."""
        return self.reader.paths

    def all(self) -> list[Artifact]:
        """Samples and checkpoints in the order they were made, then the finished model: what can be had now."""
        return [*self._samples(), *self._checkpoints(), *self._models()]

    def sample(self, filename: str) -> Content:
        """The sample; raises `NotFound`, `Unreachable`."""
        return self._on_disk(partial(within, self.paths.samples, filename)) or self._in_store("samples", filename)

    def checkpoint(self, filename: str) -> Content:
        """The checkpoint; raises `NotFound`, `Unreachable`."""
        find = partial(self.checkpoint_on_disk, filename)
        return self._on_disk(find) or self._in_store("checkpoints", filename)

    def checkpoint_on_disk(self, filename: str) -> Path:
        """The checkpoint's file, the kept one where the trainer has removed its own; raises `NotFound`."""
        try:
            return within(self.paths.checkpoints, filename)
        except NotFound:
            return within(kept_checkpoints.folder(self.paths), filename)

    def model(self) -> Content:
        """The finished LoRA; raises `NotFound` while there is none, `Unreachable`.

        The journal names it, ahead of the store; where it lies follows from the job, so that a data folder may move.
        """
        ended = self.reader.page(events=[EventName.JOB_COMPLETED], limit=1, order="desc").entries
        told = ended[0].fields.get("output_path") if ended else self.job.output_path
        if not isinstance(told, str):
            raise NotFound(f"job {self.job.id} has no finished model", field="job_id")
        name = Path(told).name
        find = partial(within, self.data.loras(self.job.character_id), name)
        return self._on_disk(find) or self._stored(lora_key(self.job.character_id, name))

    def _on_disk(self, find: Callable[[], Path]) -> Content | None:
        try:
            return DiskFile.at(find())
        except NotFound:
            if self.store is None:
                raise
            return None

    def _in_store(self, folder: str, filename: str) -> Content:
        if not is_plain(filename):
            raise NotFound(f"there is no file {filename[:200]!r} here", field="filename")
        return self._stored(job_key(self.job.id, folder, filename))

    def _stored(self, key: str) -> Content:
        found = self.store.find(key) if self.store else None
        if self.store is None or found is None:
            raise NotFound(f"there is no artifact {key[:200]!r}", field="filename")
        return StoredFile(self.store, found)

    def described_checkpoint(self, filename: str) -> Artifact:
        """One checkpoint as it is listed; raises `NotFound`."""
        found = next((each for each in self._checkpoints() if each.name == filename), None)
        if found is None:
            raise NotFound(f"there is no checkpoint {filename[:200]!r} in job {self.job.id}", field="filename")
        return found

    def _samples(self) -> Iterator[Artifact]:
        for entry, content in self._told(EventName.TRAINING_SAMPLE, "samples", partial(within, self.paths.samples)):
            yield self._artifact("sample", f"samples/{quote(content.name)}", content, entry)

    def _checkpoints(self) -> Iterator[Artifact]:
        kept = kept_checkpoints.kept(self.paths)
        for entry, content in self._told(EventName.TRAINING_CHECKPOINT, "checkpoints", self.checkpoint_on_disk):
            listed = self._artifact("checkpoint", f"checkpoints/{quote(content.name)}", content, entry)
            yield listed.model_copy(update={"kept": content.name in kept})

    def _models(self) -> Iterator[Artifact]:
        try:
            content = self.model()
        except (NotFound, Unreachable):
            return
        listed = self._artifact("model", "model", content, None)
        yield listed.model_copy(update={"step": self.job.current_step, "attempt": self.job.attempt})

    def _told(self, event: EventName, folder: str, find: Callable[[str], Path]) -> Iterator[tuple[Entry, Content]]:
        """The files that lines of `event` tell of; where one name comes again, only its newest line."""
        newest: dict[str, Entry] = {}
        for entry in _entries(self.reader, event):
            name = entry.fields.get(f"{folder.removesuffix('s')}_path")
            if isinstance(name, str):
                newest.pop(name, None)
                newest[name] = entry
        elsewhere: dict[str, Stored] | None = None
        for name, entry in newest.items():
            try:
                yield entry, DiskFile.at(find(name))
            except NotFound:
                elsewhere = self._listed(folder) if elsewhere is None else elsewhere
                if self.store is not None and name in elsewhere:
                    yield entry, StoredFile(self.store, elsewhere[name])

    def _listed(self, folder: str) -> dict[str, Stored]:
        """What the store has in a folder of the job, by name; nothing while it does not answer."""
        if self.store is None:
            return {}
        prefix = job_key(self.job.id, folder)
        try:
            return {each.name: each for each in self.store.list(prefix) if each.key == f"{prefix}/{each.name}"}
        except Unreachable as error:
            log.warning("the artifacts of job %s are listed without what is stored: %s", self.job.id, error.detail)
            return {}

    def _artifact(self, kind: Kind, address: str, content: Content, entry: Entry | None) -> Artifact:
        fields = entry.fields if entry else {}
        prompt = fields.get("sample_prompt")
        return Artifact(
            name=content.name,
            type=kind,
            step=fields.get("step"),
            size_bytes=content.size,
            created_at=datetime.fromtimestamp(content.modified, UTC),
            url=f"/api/jobs/{self.job.id}/artifacts/{address}?v={content.version}",
            content_type=content_type(content.name),
            attempt=fields.get("attempt"),
            seq=entry.seq if entry else None,
            prompt=prompt if isinstance(prompt, str) else None,  # a script may report what it likes
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
