"""Reads a zip that a stranger sent: entry by entry, into memory of a bounded size, never to a path that it names.

Sizes and counts that the archive states about itself are not believed; bytes are counted as they come out. Writes no
file: what to do with the bytes is the caller's.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from isengard.datasets.limits import ArchiveRefused, Limits, Refused

_CHUNK = 64 * 1024
_RATIO_COUNTS_FROM = 1024 * 1024
"""Below this an entry's expansion harms nobody, and a page of one colour may well shrink a thousandfold."""

_JUNK = {".ds_store", "thumbs.db", "desktop.ini"}
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".jar")
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1 | 0x40 | 0x2000


class Budget:
    """How many bytes an upload may still unpack to."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.upload_bytes

    def spend(self, count: int) -> None:
        """Take `count` bytes; raises `ArchiveRefused` when there are not so many left."""
        self._left -= count
        if self._left < 0:
            raise self._limits.too_much()


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """One file in an archive.

    Attributes:
        name: Its name with folders, as the archive has it; not safe to use as a path.
        refusal: Why it is not to be read, None if it may be.
    """

    name: str
    info: zipfile.ZipInfo
    refusal: str | None


class Archive:
    """An open zip.

    Args:
        stream: The archive, seekable.
        limits: What it may unpack to.
        budget: Shared by everything in the same upload.

    Raises:
        ArchiveRefused: It is damaged, or holds more files than allowed.
    """

    def __init__(self, stream: IO[bytes], limits: Limits, budget: Budget) -> None:
        self._limits = limits
        self._budget = budget
        with _archive_errors():
            # The directory at its end is read in one piece; the guard keeps a lying one from filling the memory.
            self._zip = zipfile.ZipFile(_Guard(stream, limits))
        if len(self._zip.infolist()) > limits.upload_files:
            raise limits.too_many_files()

    def entries(self) -> Iterator[ArchiveEntry]:
        """Its files in order; folders and what operating systems leave in archives are passed over."""
        seen: set[str] = set()
        for info in self._zip.infolist():
            name = _name(info)
            if name.endswith("/") or _is_junk(name):
                continue
            refusal = "the name occurs twice in the archive" if name in seen else _refusal(info, name)
            seen.add(name)
            yield ArchiveEntry(name, info, refusal)

    def read(self, entry: ArchiveEntry, limit: int, too_large: Refused) -> bytes:
        """The bytes of an entry.

        Raises:
            Refused: `too_large`, when there are more than `limit`; or it is damaged.
            ArchiveRefused: It expands too far, or the upload as a whole does.
        """
        self._check_ratio(entry, entry.info.file_size)  # what it says of itself is believed where it is bad enough
        data = bytearray()
        with _entry_errors(), self._zip.open(entry.info) as file:
            while chunk := file.read(_CHUNK):
                self._budget.spend(len(chunk))
                data += chunk
                self._check_ratio(entry, len(data))
                if len(data) > limit:
                    raise too_large
        return bytes(data)

    def _check_ratio(self, entry: ArchiveEntry, size: int) -> None:
        if size > max(_RATIO_COUNTS_FROM, self._limits.zip_ratio * entry.info.compress_size):
            raise self._limits.expands_too_far(entry.name)


class _Guard(io.RawIOBase):
    """A seekable stream that hands out no more at once than an honest directory of the allowed size needs."""

    _PER_ENTRY = 512

    def __init__(self, stream: IO[bytes], limits: Limits) -> None:
        self._stream = stream
        self._most = max(1024 * 1024, limits.upload_files * self._PER_ENTRY)
        self._limits = limits

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self._most:
            data = self._stream.read(self._most + 1)
            if len(data) > self._most:
                raise self._limits.too_many_files()
            return data
        return self._stream.read(size)


def _name(info: zipfile.ZipInfo) -> str:
    """The whole name; one without the UTF-8 flag that is UTF-8 all the same (macOS, many scripts) is read so."""
    raw = info.orig_filename
    if info.flag_bits & 0x800:
        return raw
    try:
        return raw.encode("cp437").decode("utf-8")
    except UnicodeError:
        return raw


def _is_junk(name: str) -> bool:
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    return name.startswith("__MACOSX/") or base.startswith("._") or base.lower() in _JUNK


def _refusal(info: zipfile.ZipInfo, name: str) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "it is a link or a device, not a file"
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if info.compress_type not in _METHODS:
        return "its compression is not supported; make the zip with the usual one (deflate)"
    if name.lower().endswith(_ARCHIVES):
        return "archives inside an archive are not opened"
    return None


@contextmanager
def _archive_errors() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, ValueError, OSError, EOFError) as error:
        raise ArchiveRefused("the zip archive is damaged and cannot be read") from error


@contextmanager
def _entry_errors() -> Iterator[None]:
    try:
        yield
    except zipfile.BadZipFile as error:
        reason = "wrong checksum" if "CRC" in str(error) else "its record does not agree with the archive's directory"
        raise Refused(f"it is damaged in the archive: {reason}") from error
    except (zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        raise Refused("it is damaged in the archive and cannot be unpacked") from error
