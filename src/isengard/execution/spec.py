"""``job.json``: what a runner is to do, written by whoever launches it. Secrets have a file of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from isengard.trainers.base import TrainingJob


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run of one job.

    Attributes:
        job: What the trainer gets; its ``dataset`` is filled by the runner from `images`.
        images: The character's uploads; None for a training that brings its own data.
        lora: Where the finished LoRA goes.
        grace_period_s: Seconds a trainer has to stop by itself, and again after SIGTERM.
        claim: Fence of the claim of whoever started this run without a worker; the runner ends it in the store.
    """

    trainer: str
    job: TrainingJob
    images: Path | None
    lora: Path
    traceparent: str
    grace_period_s: float
    claim: int | None = None

    @property
    def is_attended(self) -> bool:
        """Whether no worker started it."""
        return self.claim is not None
