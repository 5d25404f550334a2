"""What an upload is made of and what is answered to it. Records only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO

from isengard.jobs.models import Image


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """One file of an upload: the name its sender gave it and its bytes, from where the stream stands.

    A zip must be seekable; for everything else reading is enough.
    """

    filename: str
    stream: IO[bytes]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A file that was not taken, and why; the name is fit to be shown."""

    filename: str
    reason: str


@dataclass(slots=True)
class IntakeResult:
    """What became of each file of an upload.

    Attributes:
        uploaded: The new images, with captions.
        rejected: The files not taken. A refused archive is one of them; its entries are then not listed.
        total_images: Images the character has now.
    """

    uploaded: list[Image] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    total_images: int = 0
