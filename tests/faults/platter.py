"""What a power cut leaves of a folder, made from a record of every write and sync (`disk_shim.c`).

A sync makes what its file held at that moment safe. Of what was written since, the disk may have kept any part, in
sectors and in any order, and of a file's growth the length without the data (zeros). A new file whose folder was not
synced since may be missing altogether. Removals and renames are taken to have happened.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512


@dataclass(frozen=True)
class Act:
    """One thing a process did: ``w`` write, ``t`` cut, ``s`` sync, ``d`` remove, ``m`` rename."""

    kind: str
    path: str
    offset: int = 0
    data: bytes = b""
    target: str = ""


def acts(record: Path) -> list[Act]:
    """The record, parsed."""
    return list(_parse(record.read_bytes()))


def _parse(data: bytes) -> Iterator[Act]:
    place = 0
    while place < len(data):
        end = data.index(b"\n", place)
        kind, path, *rest = data[place:end].decode().split(" ")
        place = end + 1
        if kind == "w":
            size = int(rest[1])
            yield Act(kind, path, int(rest[0]), data[place : place + size])
            place += size
        elif kind == "t":
            yield Act(kind, path, int(rest[0]))
        else:
            yield Act(kind, path, target=rest[0] if rest else "")


@dataclass
class _File:
    now: bytearray = field(default_factory=bytearray)
    safe: bytes = b""
    named: bool = False

    def write(self, offset: int, data: bytes) -> None:
        if len(self.now) < offset:
            self.now.extend(bytes(offset - len(self.now)))
        self.now[offset : offset + len(data)] = data

    def after_cut(self, dice: random.Random) -> bytes:
        """`safe`, with some of the sectors that were written since, and perhaps the length they had grown to."""
        if bytes(self.now) == self.safe:
            return self.safe
        kept = dice.choice((0.0, 0.5, 0.9, 1.0))
        length = dice.choice((len(self.safe), len(self.now), dice.randint(*sorted((len(self.safe), len(self.now))))))
        result = bytearray(self.safe[:length]) + bytes(max(0, length - len(self.safe)))
        for start in range(0, length, SECTOR):
            if dice.random() < kept:
                part = self.now[start : min(start + SECTOR, length)]
                result[start : start + len(part)] = part
        return bytes(result)


class Platter:
    """The disk as the acts so far left it.

    Args:
        root: The folder that was recorded.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, _File] = {}

    def keep(self, path: Path, data: bytes) -> None:
        """A file that was there, safe, before the recording began."""

        self._files[str(path)] = _File(bytearray(data), data, named=True)

    def apply(self, act: Act) -> None:
        """Let one more act happen."""
        if act.kind == "d":
            self._files.pop(act.path, None)
        elif act.kind == "m" and act.path in self._files:
            self._files[act.target] = self._files.pop(act.path)
        elif act.kind == "w":
            self._files.setdefault(act.path, _File()).write(act.offset, act.data)
        elif act.kind == "t":
            held = self._files.setdefault(act.path, _File()).now
            held[:] = held[: act.offset].ljust(act.offset, b"\0")
        elif act.kind == "s":
            self._sync(act.path)

    def _sync(self, path: str) -> None:
        if path in self._files:
            self._files[path].safe = bytes(self._files[path].now)
            return
        for name, file in self._files.items():  # it is a folder: its names are safe
            file.named = file.named or os.path.dirname(name) == path

    def cut(self, target: Path, dice: random.Random) -> None:
        """Put into `target` what is left if the power fails now."""
        for path, file in self._files.items():
            if not file.named and dice.random() < 0.3:
                continue
            place = target / Path(path).relative_to(self._root)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.after_cut(dice))
