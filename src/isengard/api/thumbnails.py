"""Small pictures of samples, made when they are asked for: a few at a time, beside the loop that feeds the streams.

What was made lately is kept in memory, for those who look at the same training. Nothing is written to disk.
"""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import PurePath

import anyio
import anyio.to_thread

from isengard.api.contents import Content
from isengard.datasets.limits import Limits, Refused
from isengard.datasets.thumbnails import SUFFIX, thumbnail

_log = logging.getLogger(__name__)

_KEPT_BYTES = 16 * 1024 * 1024
_KEPT_EMPTY = 64
"""What it costs to remember that of a picture there is no smaller one."""
_READ_AT_ONCE = 8
_DRAWN_AT_ONCE = max(1, min(4, (os.cpu_count() or 1) // 2))

Key = tuple[str, str, str, int]


class Width(IntEnum):
    """How wide a small picture may be, in pixels."""

    SMALL = 128
    MEDIUM = 256
    LARGE = 512


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture, as something that can be sent."""

    data: bytes = field(repr=False)
    name: str
    modified: float
    version: str

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    async def pieces(self, part: range) -> AsyncIterator[bytes]:
        """Some of its bytes, in one piece."""
        yield self.data[part.start : part.stop]


def version_at(content: Content, width: Width) -> str:
    """The version of the small picture of `content`."""
    return f"{content.version}-{width.value}w"


class Thumbnails:
    """Makes them.

    Args:
        limits: What is decoded at all.
    """

    def __init__(self, limits: Limits, *, kept_bytes: int = _KEPT_BYTES) -> None:
        self._limits = limits
        self._reading = anyio.Semaphore(_READ_AT_ONCE)
        self._drawing = anyio.CapacityLimiter(_DRAWN_AT_ONCE)
        self._made: OrderedDict[Key, bytes | None] = OrderedDict()  # only the loop's thread touches it
        self._made_bytes = 0
        self._kept_bytes = kept_bytes
        self._under_way: dict[Key, anyio.Event] = {}

    async def of(self, job_id: str, content: Content, width: Width) -> Content:
        """The sample `content` of a job at most `width` wide; itself where no smaller one can be made of it.

        That is so where it is not wider, damaged, an animation, of another kind or over a limit.

        Raises:
            NotFound, StorageError, Unreachable: It cannot be read.
        """
        key = (job_id, content.name, content.version, width.value)
        while key not in self._made:
            if (other := self._under_way.get(key)) is not None:
                await other.wait()
            else:
                await self._make(key, content, width)
        self._made.move_to_end(key)
        data = self._made[key]
        if data is None:
            return content
        name = PurePath(content.name).stem + SUFFIX
        return Thumbnail(data, name, content.modified, version_at(content, width))

    async def _make(self, key: Key, content: Content, width: Width) -> None:
        over = self._under_way[key] = anyio.Event()
        data = None
        try:
            async with self._reading:
                if content.size <= self._limits.image_bytes:
                    whole = b"".join([piece async for piece in content.pieces(range(content.size))])
                    data = await anyio.to_thread.run_sync(self._draw, whole, content.name, width, limiter=self._drawing)
            self._keep(key, data)
        finally:
            del self._under_way[key]
            over.set()

    def _draw(self, whole: bytes, name: str, width: Width) -> bytes | None:
        try:
            return thumbnail(whole, self._limits, width.value)
        except Refused as refused:
            _log.info("no small picture is made of %s: %s", name, refused.detail)
            return None

    def _keep(self, key: Key, data: bytes | None) -> None:
        self._made[key] = data
        self._made_bytes += _cost(data)
        while self._made_bytes > self._kept_bytes and len(self._made) > 1:
            self._made_bytes -= _cost(self._made.popitem(last=False)[1])


def _cost(data: bytes | None) -> int:
    return _KEPT_EMPTY + len(data or b"")
