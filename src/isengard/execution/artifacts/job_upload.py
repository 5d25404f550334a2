"""Brings what a journal's lines tell of into the store of artifacts: samples, checkpoints, finished LoRAs.

A line is ticked off when its files are stored, so whatever interrupts this, the next one goes on with the same line;
putting a file twice does no harm. What a trainer has removed in the meantime is passed over.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isengard.core.errors import NotFound
from isengard.core.paths import DataDir, JobPaths
from isengard.events.models import EventName
from isengard.execution.artifacts.atomic_write import PARTIAL
from isengard.execution.artifacts.store import ArtifactStore, job_key
from isengard.journal import Entry
from isengard.journal.tour import Visit

log = logging.getLogger(__name__)

CARRIER = "artifacts"
STATES = ".state"
"""Folder in ``checkpoints/`` for what a resume needs beside the file that a checkpoint line names."""


@dataclass(frozen=True, slots=True)
class JobUpload:
    """Delivers for the jobs of one data folder."""

    data: DataDir
    store: ArtifactStore

    def carry(self, visit: Visit) -> bool:
        """Deliver what the next lines of a journal tell of; whether there was anything to read.

        Raises:
            Unreachable: The store does not answer. What was stored before is ticked off.
            OSError: The journal cannot be read, or the position not be kept.
        """
        entries = visit.read()
        done = 0
        for number, entry in enumerate(entries, 1):
            if files := list(self._files(visit.paths, entry)):
                visit.advance(number - 1 - done)
                done = number - 1
                self._put(files, visit.paths)
                if entry.event == EventName.TRAINING_CHECKPOINT:
                    self._drop_old_states(visit.paths)
        if entries:
            visit.advance(len(entries) - done)
        return bool(entries)

    def _put(self, files: list[tuple[str, Path]], paths: JobPaths) -> None:
        for key, path in files:
            try:
                self._put_unchanged(key, path, paths.upload(CARRIER))
            except (NotFound, FileNotFoundError):
                self.store.abandon(paths.upload(CARRIER))
                log.info("%s was removed before it could be stored", key)
            except OSError as error:
                log.error("%s cannot be stored: %s", key, error.strerror or error)
        if not paths.root.exists():  # deleted meanwhile, and the store emptied before this came
            self.store.remove_below(job_key(paths.job_id))

    def _put_unchanged(self, key: str, path: Path, notes: Path) -> None:
        """Store the file as it is at one moment: again if somebody wrote into it meanwhile."""
        while True:
            before = _state(path)
            self.store.put(key, path, notes)
            if _state(path) == before:
                return

    def _files(self, paths: JobPaths, entry: Entry) -> Iterator[tuple[str, Path]]:
        """What a line tells of, each file with its key."""
        if entry.event == EventName.TRAINING_SAMPLE:
            yield from self._named(paths, "samples", entry.fields.get("sample_path"))
        elif entry.event == EventName.TRAINING_CHECKPOINT:
            name = entry.fields.get("checkpoint_path")
            if isinstance(name, str):  # the state goes first: the file that is named stands for both
                yield from self._states(paths, name)
            yield from self._named(paths, "checkpoints", name)
        elif entry.event == EventName.JOB_COMPLETED:
            yield from self._lora(entry.fields.get("output_path"))

    def _named(self, paths: JobPaths, folder: str, name: object) -> Iterator[tuple[str, Path]]:
        if not isinstance(name, str) or Path(name).name != name:
            return
        path = paths.root / folder / name
        for file in _files_of(path):
            inner = file.relative_to(path).parts
            yield job_key(paths.job_id, folder, name, *inner), file

    def _states(self, paths: JobPaths, name: str) -> Iterator[tuple[str, Path]]:
        for file in sorted((paths.checkpoints / STATES).glob("*")):
            if file.stem == Path(name).stem and file.is_file():
                yield job_key(paths.job_id, "checkpoints", STATES, file.name), file

    def _lora(self, output: object) -> Iterator[tuple[str, Path]]:
        if not isinstance(output, str):
            return
        path = Path(self.data.root, output)
        if path.is_relative_to(self.data.root / "loras") and path.is_file():
            yield path.relative_to(self.data.root).as_posix(), path

    def _drop_old_states(self, paths: JobPaths) -> None:
        """States are large and trainers keep the newest few; so does the store."""
        kept = {path.name for path in (paths.checkpoints / STATES).glob("*")}
        for stored in list(self.store.list(job_key(paths.job_id, "checkpoints", STATES))):
            if kept and stored.name not in kept:
                self.store.remove(stored.key)


def _files_of(path: Path) -> Iterator[Path]:
    """`path` itself, or the files in it; links are not followed out of the job's folder."""
    if path.is_symlink():
        return
    if path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = Path(folder, name)
            if file.is_file() and not file.is_symlink() and not name.endswith(PARTIAL):
                yield file


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
