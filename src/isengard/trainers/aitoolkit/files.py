"""Finds what ai-toolkit leaves on disk and brings it to the job's own folders: samples, checkpoints, the final LoRA.

Files are linked, not copied, where the file system allows it, oldest first: ai-toolkit picks the checkpoint to resume
from by the time of its last change of state, which a link moves.
"""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isengard.trainers.aitoolkit.config import save_root
from isengard.trainers.base import TrainingJob
from isengard.trainers.weights import copy_whole, is_whole

_SAMPLE = re.compile(r"(?P<ms>\d{13})__(?P<step>\d{9})_(?P<index>\d+)\.(?P<ext>jpe?g|png|webp)")


@dataclass(frozen=True, slots=True)
class Found:
    """A new file in the job's folder; `index` is that of the prompt, for samples."""

    name: str
    step: int
    index: int = 0


class OutputFolder:
    """ai-toolkit's folder of one run.

    Args:
        job: The run. What lies in the folder when this is made belongs to earlier attempts and is not reported again.
    """

    def __init__(self, job: TrainingJob) -> None:
        self._job = job
        self._root = save_root(job)
        self._checkpoint = re.compile(rf"{re.escape(job.job_id)}_(?P<step>\d{{9}})\.safetensors")
        self._seen: set[str] = {path.name for path in self._root.rglob("*") if path.is_file()}
        self._started_with_final = self._stamp(self.final)

    @property
    def final(self) -> Path:
        """Where the finished LoRA appears."""
        return self._root / f"{self._job.job_id}.safetensors"

    @property
    def loss_log(self) -> Path:
        """ai-toolkit's log of figures."""
        return self._root / "loss_log.db"

    def finished(self) -> bool:
        """Whether this run has written a final LoRA that is whole."""
        return self._stamp(self.final) != self._started_with_final and is_whole(self.final)

    def new_samples(self) -> Iterator[Found]:
        """Samples that appeared since the last call; each was renamed into place, so it is complete."""
        for path in self._unseen(self._root / "samples"):
            match = _SAMPLE.fullmatch(path.name)
            if match is None:
                continue
            step, index = int(match["step"]), int(match["index"])
            name = f"step_{step:06d}_{index:02d}{self._attempt()}.{match['ext']}"
            if (self._job.samples / name).exists():  # asked for by hand at a step that had its samples already
                name = f"step_{step:06d}_{index:02d}{self._attempt()}_{match['ms']}.{match['ext']}"
            if self._take(path, self._job.samples / name):
                yield Found(name, step, index)

    def new_checkpoints(self) -> Iterator[Found]:
        """Checkpoints that appeared since the last call and are whole; one still being written waits."""
        for path in self._unseen(self._root):
            match = self._checkpoint.fullmatch(path.name)
            if match and is_whole(path) and self._take(path, self._job.checkpoints / path.name):
                yield Found(path.name, int(match["step"]))

    def make_ready(self) -> list[str]:
        """Leave ai-toolkit nothing to resume from but the newest whole checkpoint; returns what was set aside.

        It takes whatever file begins with the run's name and changed last: a file that a kill left half-written is
        renamed at its front, and the newest whole one is touched, lest an older one has been linked or copied since.
        """
        saves = [path for path in self._root.glob(f"{glob.escape(self._job.job_id)}*.safetensors") if path.is_file()]
        torn = [path for path in saves if not is_whole(path)]
        for path in torn:
            path.rename(path.with_name(f"torn-{path.name}"))
        whole = [path for path in saves if path not in torn]
        if whole:
            os.utime(max(whole, key=self._step_of))
        return [path.name for path in torn]

    def _step_of(self, path: Path) -> int:
        match = self._checkpoint.fullmatch(path.name)
        return int(match["step"]) if match else sys.maxsize  # the final one has no number

    def _attempt(self) -> str:
        return f"_a{self._job.attempt}" if self._job.attempt > 1 else ""

    def _unseen(self, folder: Path) -> list[Path]:
        try:
            entries = [path for path in folder.iterdir() if path.name not in self._seen and path.is_file()]
            return sorted(entries, key=lambda path: path.stat().st_ctime_ns)
        except FileNotFoundError:
            return []

    def _take(self, source: Path, target: Path) -> bool:
        try:
            target.unlink(missing_ok=True)
            _link(source, target)
        except FileNotFoundError:  # ai-toolkit removed it in the meantime
            return False
        self._seen.add(source.name)
        return True

    @staticmethod
    def _stamp(path: Path) -> tuple[int, int] | None:
        try:
            stat = path.stat()
        except FileNotFoundError:
            return None
        return (stat.st_mtime_ns, stat.st_ino)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        copy_whole(source, target)
