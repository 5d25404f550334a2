"""The `ai-toolkit` trainer: starts ``run.py`` of a checkout in its own environment and follows it.

The checkout and its Python are settings (``ISENGARD_AITOOLKIT_DIR``, ``ISENGARD_AITOOLKIT_PYTHON``); nothing in the
checkout is changed or written.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from isengard.core.settings import Settings
from isengard.trainers.aitoolkit import config
from isengard.trainers.aitoolkit.database import JobTable
from isengard.trainers.aitoolkit.files import OutputFolder
from isengard.trainers.aitoolkit.observer import AIToolkitObserver
from isengard.trainers.aitoolkit.parameters import AIToolkitParameters
from isengard.trainers.base import Availability, Launch, Observer, TrainingJob, TrainingParameters

_HOW = "see docs/trainers/ai-toolkit.md"


class AIToolkitTrainer:
    """Trains with ostris/ai-toolkit."""

    name: ClassVar[str] = "ai-toolkit"
    title: ClassVar[str] = "AI-Toolkit"
    description: ClassVar[str] = "ostris/ai-toolkit from your own checkout: SD 1.5, SDXL, FLUX and what else it trains."
    parameters: ClassVar[type[TrainingParameters]] = AIToolkitParameters
    capabilities: ClassVar[frozenset[str]] = frozenset({"resume", "sample_now", "save_now"})

    def availability(self, settings: Settings) -> Availability:
        """Look for the checkout and its interpreter; what is missing comes with how to get it."""
        checkout = settings.aitoolkit_dir
        if checkout is None:
            return Availability((f"ISENGARD_AITOOLKIT_DIR is not set to a checkout of ostris/ai-toolkit ({_HOW})",))
        missing: list[str] = []
        if not (checkout / "run.py").is_file():
            missing.append(f"ISENGARD_AITOOLKIT_DIR: there is no run.py in {checkout} ({_HOW})")
        python = interpreter(settings, checkout)
        if not os.access(python, os.X_OK):
            missing.append(f"ISENGARD_AITOOLKIT_PYTHON: {python} cannot be run; make its environment first ({_HOW})")
        return Availability(tuple(missing))

    def launch(self, job: TrainingJob, settings: Settings) -> Launch:
        """Write its configuration and job table, set torn checkpoints aside, and say how it is started."""
        checkout = settings.aitoolkit_dir
        if checkout is None:
            raise ValueError("launch() before availability() said yes")
        JobTable(job.workdir / config.DATABASE, job.job_id).prepare()
        OutputFolder(job).make_ready()
        return Launch(
            argv=(str(interpreter(settings, checkout)), "run.py", str(config.write(job))),
            env={
                "AITK_JOB_ID": job.job_id,
                "PYTHONUNBUFFERED": "1",  # stage lines must not wait for a full buffer
                "PYTHONIOENCODING": "utf-8",
                "SEED": str(job.config.get("seed", 42) % 2**32),
            },
            cwd=checkout,
        )

    def observer(self, job: TrainingJob) -> Observer:
        """The reader of this run."""
        return AIToolkitObserver(job)


def interpreter(settings: Settings, checkout: Path) -> Path:
    """The Python that runs ai-toolkit: the set one, else the checkout's own environment."""
    if settings.aitoolkit_python is not None:
        return settings.aitoolkit_python
    for folder in ("venv", ".venv"):
        candidate = checkout / folder / "bin" / "python"
        if candidate.exists():
            return candidate
    return checkout / "venv" / "bin" / "python"
