"""The first half of an intake: reads every file of an upload and keeps what is good in a staging folder.

Nothing gets its name here and the database is not touched; `placing.py` does both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from isengard.core.errors import TooLarge
from isengard.core.redaction import Redactor
from isengard.datasets import captions, files, names, pictures
from isengard.datasets.archives import Archive, ArchiveEntry, Budget
from isengard.datasets.limits import ArchiveRefused, Limits, Refused
from isengard.datasets.uploads import IncomingFile, Rejection

Read = Callable[[int, Refused], bytes]
"""Reads a file: at most so many bytes, else the given refusal is raised."""


@dataclass(slots=True)
class Staged:
    """An accepted image, waiting for its name.

    Attributes:
        shown: The name its sender gave it, for messages.
        name: The name it would like to have.
        path: Where it lies now.
    """

    shown: str
    name: str
    path: Path
    picture_size: tuple[int, int]
    size_bytes: int
    sha256: str
    caption: str | None = None


@dataclass(frozen=True, slots=True)
class _Source:
    """A file that may be read. `key` is shared by an image and its caption."""

    shown: str
    name: str
    key: tuple[str, str]
    read: Read


class Batch:
    """One upload being read.

    Args:
        staging: A folder for the accepted images.
        decoding: Held while a picture is decoded.

    Attributes:
        staged: The accepted images in the order they came.
        rejected: The other files.
    """

    def __init__(self, limits: Limits, staging: Path, decoding: threading.BoundedSemaphore, redactor: Redactor) -> None:
        self.staged: list[Staged] = []
        self.rejected: list[Rejection] = []
        self._limits = limits
        self._staging = staging
        self._decoding = decoding
        self._shown = redactor.filename
        self._budget = Budget(limits)
        self._archives = 0

    def read(self, incoming: Sequence[IncomingFile]) -> None:
        """Read all files; raises `TooLarge` if together they are over the limit, and OSError if the disk refuses."""
        if len(incoming) > self._limits.upload_files:
            raise TooLarge(
                f"the upload holds {len(incoming)} files; the limit is {self._limits.upload_files} "
                "(ISENGARD_MAX_UPLOAD_FILES)",
                field="files",
            )
        loose: list[_Source] = []
        for file in incoming:
            if _is_zip(file):
                self._read_archive(file)
            else:
                loose += self._source(file.filename, self._reader(file))
        try:
            self._stage(loose)
        except ArchiveRefused as refusal:  # the budget of the whole upload is spent
            raise TooLarge(refusal.detail, field="files") from refusal

    def _read_archive(self, file: IncomingFile) -> None:
        self._archives += 1
        if self._archives > 1:
            self._reject(file.filename, "an upload may hold only one zip archive")
            return
        accepted, refused = len(self.staged), len(self.rejected)
        try:
            archive = Archive(file.stream, self._limits, self._budget)
            entries = list(archive.entries())
            if not entries:
                raise ArchiveRefused("the zip archive holds no files")
            self._stage(self._sources(archive, entries))
        except ArchiveRefused as refusal:
            del self.staged[accepted:], self.rejected[refused:]
            self._reject(file.filename, refusal.detail)
        if (accepted, refused) == (len(self.staged), len(self.rejected)):
            self._reject(file.filename, "the zip archive holds no files")

    def _sources(self, archive: Archive, entries: Iterable[ArchiveEntry]) -> list[_Source]:
        sources: list[_Source] = []
        for entry in entries:
            if entry.refusal is None:
                sources += self._source(entry.name, _entry_reader(archive, entry))
            else:
                self._reject(entry.name, entry.refusal)
        return sources

    def _source(self, raw: str, read: Read) -> list[_Source]:
        """The file as a source, no secret left in its name; none, and a rejection, if the name is not acceptable."""
        raw = self._shown(raw) if len(raw) <= names.MAX_RAW else raw
        try:
            name = names.clean_name(raw)
        except Refused as refusal:
            self._reject(raw, refusal.detail)
            return []
        folder = raw.replace("\\", "/").rpartition("/")[0]
        return [_Source(names.shown(raw), name, (folder, names.stem_key(name)), read)]

    def _stage(self, sources: Iterable[_Source]) -> None:
        texts: dict[tuple[str, str], _Source] = {}
        candidates: list[_Source] = []
        for source in sources:
            if names.split(source.name)[1] != captions.SUFFIX:
                candidates.append(source)
            elif source.key in texts:
                self._reject(source.shown, "another caption has the same name")
            else:
                texts[source.key] = source
        for source in candidates:
            staged = self._stage_image(source)
            if staged is not None:
                staged.caption = self._caption(texts.pop(source.key, None))
                self.staged.append(staged)
        for source in texts.values():
            self._reject(source.shown, "it is no image, and no image that was taken has its name")

    def _stage_image(self, source: _Source) -> Staged | None:
        try:
            data = source.read(self._limits.image_bytes, self._limits.image_too_large())
            with self._decoding:
                picture = pictures.take(data, self._limits)
        except ArchiveRefused:
            raise
        except Refused as refusal:
            self._reject(source.shown, refusal.detail)
            return None
        path = self._staging / f"{len(self.staged)}-{len(self.rejected)}{picture.suffix}"
        files.write_durably(path, picture.data)
        return Staged(
            shown=source.shown,
            name=names.split(source.name)[0] + picture.suffix,
            path=path,
            picture_size=(picture.width, picture.height),
            size_bytes=len(picture.data),
            sha256=files.sha256(picture.data),
        )

    def _caption(self, source: _Source | None) -> str | None:
        if source is None:
            return None
        try:
            data = source.read(self._limits.caption_bytes, self._limits.caption_too_long())
            return captions.decode(data, self._limits) or None
        except ArchiveRefused:
            raise
        except Refused as refusal:
            self._reject(source.shown, refusal.detail)
            return None

    def _reader(self, file: IncomingFile) -> Read:
        def read(limit: int, too_large: Refused) -> bytes:
            data = file.stream.read(limit + 1)
            self._budget.spend(len(data))
            if len(data) > limit:
                raise too_large
            return data

        return read

    def _reject(self, raw: str, reason: str) -> None:
        self.rejected.append(Rejection(names.shown(self._shown(raw[: names.MAX_RAW])), reason))


def _entry_reader(archive: Archive, entry: ArchiveEntry) -> Read:
    return lambda limit, too_large: archive.read(entry, limit, too_large)


def _is_zip(file: IncomingFile) -> bool:
    start = file.stream.tell() if file.stream.seekable() else None
    if start is None:
        return False
    magic = file.stream.read(4)
    file.stream.seek(start)
    return magic in (b"PK\x03\x04", b"PK\x05\x06") or file.filename.lower().endswith(".zip")
