"""Checkpoints: a LoRA file that can be used as it is, and beside it what a resume needs to go on exactly.

    checkpoints/step_000100.safetensors     the LoRA; written last, so that it stands for both
    checkpoints/.state/step_000100.pt       32-bit weights, optimizer, schedule; only of the newest `KEPT_STATES`

Random numbers are not part of it: all of them follow from the job's seed and the number of the step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from isengard.core.errors import InvalidInput
from isengard.events.models import Level
from isengard.trainers.diffusers.engine.export import write_whole
from isengard.trainers.run import TrainingRun
from isengard.trainers.weights import is_whole

KEPT_STATES = 2
"""States are three times the size of the LoRA; an older checkpoint can be used but not resumed from."""

State = dict[str, Any]


class CheckpointDamaged(InvalidInput):
    """No checkpoint of this job can be resumed from."""


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, run: TrainingRun) -> None:
        self._run = run
        self._states = run.job.checkpoints / ".state"

    def save(self, step: int, lora: bytes, state: State) -> None:
        """Keep a checkpoint and report it; when this returns both files are whole on the disk."""
        name = f"step_{step:06d}"
        self._states.mkdir(exist_ok=True)
        write_whole(self._states / f"{name}.pt", lambda file: torch.save({"step": step, **state}, file))
        write_whole(self._run.job.checkpoints / f"{name}.safetensors", lambda file: file.write(lora))
        self._prune()
        self._run.checkpoint(self._run.job.checkpoints / f"{name}.safetensors", step=step)

    def newest(self) -> State | None:
        """The state to go on from, None for a fresh start.

        The checkpoint that the job names comes first; if it is damaged, the newest whole one before it, which is said.

        Raises:
            CheckpointDamaged: The job is to be resumed, but none is whole.
        """
        wanted = self._run.job.resume_from
        if wanted is None:
            return None
        older = sorted(self._run.job.checkpoints.glob("step_*.safetensors"), reverse=True)
        for path in [wanted, *(path for path in older if path.name < wanted.name)]:
            state = self._read(path)
            if state is not None:
                return state
            self._run.log(f"the checkpoint {path.name} cannot be resumed from; looking for an older one", Level.WARN)
        raise CheckpointDamaged(f"neither {wanted.name} nor an older checkpoint is whole; start the training anew")

    def _read(self, path: Path) -> State | None:
        if not is_whole(path):
            return None
        try:
            state = torch.load(self._states / f"{path.stem}.pt", map_location="cpu", weights_only=True)
        except Exception:  # whatever a torn file makes the reader raise, the answer is to look for another
            return None
        return dict(state)

    def _prune(self) -> None:
        for old in sorted(self._states.glob("step_*.pt"))[:-KEPT_STATES]:
            old.unlink()
