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
        images: The character's uploads.
        lora: Where the finished LoRA goes.
        grace_period_s: Seconds a trainer has to stop by itself, and again after SIGTERM.
    """

    trainer: str
    job: TrainingJob
    images: Path
    lora: Path
    traceparent: str
    grace_period_s: float
