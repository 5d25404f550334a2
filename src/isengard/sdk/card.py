"""The card of a script: what it tells about itself to the process that makes its job. A file: it outlives both."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FILE = "script.json"


@dataclass(frozen=True, slots=True)
class Card:
    """What a script says of itself.

    Attributes:
        job_id: The id that its job is to have.
        pid: Its process.
        interactive: Whether a person works in that process (a notebook).
        script: The file that runs, for people.
        name: What to file the job under.
        character: A character by id or name to file it under instead; None for `name`.
        steps: How many steps there will be; 0 when it did not say.
        settings: Its own configuration.
    """

    job_id: str
    data_dir: str
    pid: int
    interactive: bool
    script: str
    name: str
    character: str | None = None
    steps: int = 0
    settings: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Leave it in `folder`, for this user's eyes; raises OSError."""
        path = folder / FILE
        partial = folder / f".{FILE}.partial"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, default=str)
        os.replace(partial, path)
        return path

    @classmethod
    def read(cls, path: Path) -> Card:
        """Read it; raises OSError, or ValueError or TypeError for what is no card."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))
