"""Files from one host to another, a chunk at a time as they are asked for: memory stays bounded whatever their size.

The side that has a file keeps no state; the side that wants it asks again for what did not come. A file appears in its
place whole or not at all.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from isengard.core.errors import IsengardError
from isengard.events.bus import BusUnavailable
from isengard.execution.cluster.messages import Answer, Mailbox, Message

CHUNK_BYTES = 512 * 1024
IN_FLIGHT = 4
_ANSWER_S = 5.0
_PAUSE_S = 0.5


class GaveUp(IsengardError):
    """The one who wanted the file wants it no more, or the other side is gone."""


class Changed(IsengardError):
    """The file changed while it was being fetched."""


@dataclass(frozen=True, slots=True)
class SharedFiles:
    """What of a data folder may be asked for.

    Args:
        root: The data folder.
        parts: Files and folders below it that are given out; nothing else is.
    """

    root: Path
    parts: tuple[Path, ...]

    def find(self, name: str) -> Path | None:
        """The path of what may be given out under `name`, relative to the root; None for anything else."""
        if not _is_plain(name):
            return None
        path = (self.root / name).resolve()
        allowed = any(path.is_relative_to(part.resolve()) for part in self.parts)
        return path if allowed and path.exists() else None

    def answer(self, name: str, offset: int) -> Answer:
        """A chunk of the file `name`, the list of files if it is a folder, or that there is nothing."""
        path = self.find(name)
        if path is None:
            return Answer({"absent": True})
        if path.is_dir():
            files = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
            return Answer({"folder": files})
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            return Answer(
                {"size": status.st_size, "stamp": status.st_mtime_ns}, os.pread(file.fileno(), CHUNK_BYTES, offset)
            )


async def give(mailbox: Mailbox, message: Message, shared_files: SharedFiles | None) -> None:
    """Answer a question of kind ``read``; without shared files nothing is there."""
    name, offset = str(message.content.get("name", "")), int(message.content.get("offset", 0))
    if shared_files is None:
        found = Answer({"absent": True})
    else:
        try:
            found = await asyncio.to_thread(shared_files.answer, name, offset)
        except OSError:
            found = Answer({"absent": True})
    await mailbox.answer(message, found.content, found.payload)


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches files from one address.

    Args:
        identity: Goes along with every question.
        wanted: Asked again and again while nothing comes; false gives up.
    """

    mailbox: Mailbox
    address: str
    identity: dict[str, Any]
    wanted: Callable[[], bool]

    async def fetch(self, name: str, target: Path) -> bool:
        """Bring the file or folder `name` to `target`; whether it was there.

        Raises:
            GaveUp: It is not wanted any more, or `target` would be another folder.
            OSError: The disk refused.
        """
        if target.name in ("", ".", ".."):
            raise GaveUp(f"{target.name!r} cannot be the name of a file")
        while True:
            try:
                return await self._fetch(name, target)
            except Changed:
                await asyncio.sleep(_PAUSE_S)

    async def names(self, folder: str) -> list[str]:
        """The files in a folder, relative to it; none if there is no such folder. Raises `GaveUp`."""
        return list((await self._ask(folder, 0)).content.get("folder", ()))

    async def _fetch(self, name: str, target: Path) -> bool:
        first = await self._ask(name, 0)
        if first.content.get("absent"):
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.fetching")
        try:
            if "folder" in first.content:
                await self._folder(name, first.content["folder"], partial)
                shutil.rmtree(target, ignore_errors=True)
            else:
                await self._file(name, first, partial)
            os.replace(partial, target)
        finally:
            _remove(partial)
        return True

    async def _folder(self, name: str, files: list[str], partial: Path) -> None:
        _remove(partial)
        os.mkdir(partial)
        for file in files:
            if not _is_plain(file):
                raise GaveUp(f"{file!r} cannot be the name of a file")
            if not await self._fetch(f"{name}/{file}", partial / file):
                raise Changed(f"{name}/{file} has gone")

    async def _file(self, name: str, first: Answer, partial: Path) -> None:
        size = int(first.content["size"])
        offsets = range(CHUNK_BYTES, size, CHUNK_BYTES)
        with partial.open("wb") as file:
            file.write(first.payload)
            for start in range(0, len(offsets), IN_FLIGHT):
                asked = [self._ask(name, offset) for offset in offsets[start : start + IN_FLIGHT]]
                for answer in await asyncio.gather(*asked):
                    if answer.content != first.content:
                        raise Changed(f"{name} changed")
                    file.write(answer.payload)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
            if file.tell() != size:
                raise Changed(f"{name} changed")

    async def _ask(self, name: str, offset: int) -> Answer:
        while self.wanted():
            try:
                question = {**self.identity, "name": name, "offset": offset}
                answer = await self.mailbox.ask(self.address, "read", timeout_s=_ANSWER_S, **question)
                if answer is not None:
                    return answer
            except BusUnavailable:
                await asyncio.sleep(_PAUSE_S)
        raise GaveUp(f"{name} is not wanted any more")


def _is_plain(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
