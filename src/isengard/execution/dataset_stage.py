"""The stages before a training: the dataset is prepared and missing captions are made, with progress in the journal."""

from __future__ import annotations

import asyncio
from pathlib import Path

from isengard.core.paths import JobPaths
from isengard.core.settings import Settings
from isengard.events.models import TrainingStage
from isengard.execution.recorder import Recorder
from isengard.execution.spec import RunSpec


class PreparationStopped(Exception):
    """A cancel came before the trainer was started."""


async def prepare(settings: Settings, spec: RunSpec, paths: JobPaths, recorder: Recorder, stop: asyncio.Event) -> Path:
    """Make the folder of images and captions that the trainer reads.

    Raises:
        PreparationStopped: `stop` was set.
        InvalidInput: The images cannot be trained on.
    """
    recorder.enter(TrainingStage.PREPARING_DATASET, "preparing the dataset")
    if stop.is_set():
        raise PreparationStopped
    return spec.images
