"""Finds what a command leaves below its output folder, as its profile says. Never trusts a file before it is whole."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isengard.trainers.command.profile import FilePattern, Profile
from isengard.trainers.weights import is_whole

_LONGEST = 18
"""Digits of a number; `int` refuses very long ones, and a file's name has no room for them."""


@dataclass(frozen=True, slots=True)
class Found:
    """A new file: where it is, and what its name says of it."""

    path: Path
    step: int | None
    index: int
    epoch: int | None


class OutputFiles:
    """The output folder of one run.

    Args:
        folder: Where the command writes. What lies there already belongs to earlier attempts and is not told again.
        output_name: The name it was asked to give the LoRA.
    """

    def __init__(self, folder: Path, profile: Profile, output_name: str) -> None:
        self._folder = folder
        self._profile = profile
        self._output_name = output_name
        self._told: set[tuple[Path, int]] = set()
        for _ in (*self.new_samples(), *self.new_checkpoints()):
            pass
        self._finals_before = {path: path.stat().st_mtime_ns for path in self._finals()}

    def new_samples(self) -> Iterator[Found]:
        """Images that appeared and are whole."""
        for found in self._matching(self._profile.samples):
            if is_whole_image(found.path):
                self._tell(found)
                yield found

    def new_checkpoints(self) -> Iterator[Found]:
        """Checkpoints that appeared and are whole."""
        for found in self._matching(self._profile.checkpoints):
            if is_whole(found.path):
                self._tell(found)
                yield found

    def final(self) -> Path | None:
        """The LoRA that this run finished, if it is whole."""
        for path in self._finals():
            if self._finals_before.get(path) != path.stat().st_mtime_ns and is_whole(path):
                return path
        return None

    def _matching(self, patterns: tuple[FilePattern, ...]) -> Iterator[Found]:
        for pattern in patterns:
            expression = re.compile(pattern.name)
            for path in sorted(self._folder.glob(pattern.glob)):
                match = expression.fullmatch(path.relative_to(self._folder).as_posix())
                if match and path.is_file() and not path.is_symlink() and self._key(path) not in self._told:
                    yield _found(path, match)

    def _tell(self, found: Found) -> None:
        self._told.add(self._key(found.path))

    def _key(self, path: Path) -> tuple[Path, int]:
        return (path, path.stat().st_mtime_ns)

    def final_globs(self) -> list[str]:
        """What the finished LoRA may be called, below the folder that is written to."""
        return [pattern.replace("{output_name}", self._output_name) for pattern in self._profile.final]

    def _finals(self) -> list[Path]:
        return [path for glob in self.final_globs() for path in sorted(self._folder.glob(glob)) if path.is_file()]


def is_whole_image(path: Path) -> bool:
    """Whether an image file has its end: the last chunk of a PNG, the end marker of a JPEG, the size a WebP names."""
    size = path.stat().st_size
    if size < 12:
        return False
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(-12, os.SEEK_END)
        tail = file.read(12)
    if head.startswith(b"\x89PNG"):
        return tail[4:8] == b"IEND"
    if head.startswith(b"\xff\xd8"):
        return tail.endswith(b"\xff\xd9")
    return head.startswith(b"RIFF") and int.from_bytes(head[4:8], "little") + 8 <= size


def whole(text: str | None) -> int | None:
    """The number that a profile's pattern took for one; None for what is none, or what no counter reaches."""
    return int(text) if text and text.isdecimal() and len(text) <= _LONGEST else None


def _found(path: Path, match: re.Match[str]) -> Found:
    groups = {name: whole(value) for name, value in match.groupdict().items()}
    return Found(path, groups.get("step"), groups.get("index") or 0, groups.get("epoch"))
