"""A ZIP archive made while it is being sent: one piece of it in memory, no temporary file, no sizes known before."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from typing_extensions import Buffer

_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive.

    Attributes:
        name: Path inside the archive, with ``/``.
        content: Its bytes in pieces; read when its turn comes.
        is_packed: Whether it is compressed by itself (images): then it is stored as it is.
        modified: Seconds since the epoch; now if left out.
    """

    name: str
    content: Iterable[bytes]
    is_packed: bool = False
    modified: float | None = None


def zip_stream(members: Iterable[Member]) -> Iterator[bytes]:
    """The archive in pieces of about 64 KiB.

    What `members` or a content raises ends the stream without the archive's directory, so that what was sent so far
    cannot be taken for a whole archive.
    """
    outlet = _Outlet()
    archive = zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
    for member in members:
        with archive.open(_describe(member), "w", force_zip64=True) as file:
            for piece in member.content:
                file.write(piece)
                if outlet.size >= _PIECE:
                    yield outlet.take()
    archive.close()
    yield outlet.take()


def _describe(member: Member) -> zipfile.ZipInfo:
    moment = time.gmtime(member.modified if member.modified is not None else time.time())[:6]
    earliest, latest = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)
    info = zipfile.ZipInfo(member.name, min(max(moment, earliest), latest))
    info.compress_type = zipfile.ZIP_STORED if member.is_packed else zipfile.ZIP_DEFLATED
    info.external_attr = 0o100644 << 16
    return info


class _Outlet(io.RawIOBase):
    """What `zipfile` writes into: it cannot seek, and what it holds is taken out between writes."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        piece = bytes(memoryview(data))
        self._pieces.append(piece)
        self.size += len(piece)
        return len(piece)

    def take(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return data
