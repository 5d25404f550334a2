"""The diffusers trainer as Isengard knows it. Loads without torch; what is heavy is imported where training begins."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import ClassVar

from isengard.core.settings import Settings
from isengard.trainers.base import Availability, Launch, TrainingJob, TrainingParameters
from isengard.trainers.diffusers.base_model import DEMO, is_folder, kind_of, locate
from isengard.trainers.diffusers.parameters import DiffusersParameters
from isengard.trainers.host import PythonTrainer
from isengard.trainers.run import TrainingRun

PACKAGES = ("torch", "diffusers", "transformers", "peft", "accelerate", "safetensors")
INSTALL = "pip install 'isengard[train]'"
_QUIET = {"TRANSFORMERS_VERBOSITY": "error", "DIFFUSERS_VERBOSITY": "error", "TOKENIZERS_PARALLELISM": "false"}
"""The libraries advise their own users when they are imported; whoever reads a job's output is not one of them."""


class DiffusersTrainer(PythonTrainer):
    """LoRA training with PyTorch, diffusers and PEFT, in this machine's GPU or CPU."""

    name: ClassVar[str] = "diffusers"
    title: ClassVar[str] = "Diffusers"
    description: ClassVar[str] = (
        "Real LoRA training of Stable Diffusion 1.x, 2.x, XL and FLUX models, and of the tiny model that comes along."
    )
    parameters: ClassVar[type[TrainingParameters]] = DiffusersParameters
    capabilities: ClassVar[frozenset[str]] = frozenset({"resume", "sample_now", "save_now"})

    def availability(self, settings: Settings) -> Availability:
        """Name the packages that are not installed; looks for them without importing any."""
        missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
        if not missing:
            return Availability()
        return Availability((f"missing {', '.join(missing)}: run {INSTALL}",))

    def launch(self, job: TrainingJob, settings: Settings) -> Launch:
        """Look at the base model once more, where the training will run, before a process is started for it.

        Raises:
            InvalidInput: Its folder is missing or holds no pipeline that can be trained.
        """
        reference = str(job.config.get("base_model", DEMO))
        if reference == DEMO or is_folder(reference):
            kind_of(locate(reference))
        return replace(super().launch(job, settings), env=_QUIET)

    def train(self, run: TrainingRun) -> None:
        """Set up, run the loop, write the LoRA."""
        from isengard.trainers.diffusers.engine.loop import Loop  # noqa: PLC0415 - torch: seconds and 400 MB
        from isengard.trainers.diffusers.engine.session import prepare  # noqa: PLC0415

        run.phase("loading model")
        session = prepare(run, DiffusersParameters(**run.job.config))
        Loop(run, session).run()
