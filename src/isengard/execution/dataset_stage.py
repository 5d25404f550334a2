"""The stages before a training: the dataset is prepared and missing captions are made, with progress in the journal."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from isengard.core.settings import Settings
from isengard.datasets.limits import Limits
from isengard.events.models import EventName, Level, TrainingStage
from isengard.execution.captioning import Captions, caption_images
from isengard.execution.process import mark
from isengard.execution.recorder import Recorder
from isengard.execution.spec import RunSpec

if TYPE_CHECKING:
    from isengard.datasets.prepare import DatasetReport, PrepareProgress

_TELL_EVERY_S = 0.5


class PreparationStopped(Exception):
    """A cancel came before the trainer was started."""


async def prepare_dataset(
    settings: Settings, spec: RunSpec, target: Path, recorder: Recorder, stop: asyncio.Event
) -> Path:
    """Make `target`, the folder of images and captions that the trainer reads; return it. Nothing without images.

    Raises:
        PreparationStopped: `stop` was set.
        InvalidInput: No image can be trained on.
        StorageError: The disk refused.
    """
    from isengard.datasets.prepare import CAPTION_TEMPLATE, Subject, prepare  # noqa: PLC0415 - Pillow, while the job has started already

    if spec.images is None:
        return target

    recorder.enter(TrainingStage.PREPARING_DATASET, "preparing the dataset")
    teller = _Teller(recorder, stop, asyncio.get_running_loop())
    report = await asyncio.to_thread(
        prepare,
        Subject(spec.job.character_name, spec.job.trigger_word),
        spec.images,
        target,
        int(spec.job.config["resolution"]),
        Limits.of(settings),
        template=str(spec.job.config.get("caption_template") or CAPTION_TEMPLATE),
        report=teller.tell,
    )
    _conclude(recorder, report)
    if report.uncaptioned and not stop.is_set():
        await _caption(spec, target, report, recorder, stop)
    if stop.is_set():
        raise PreparationStopped
    return target


async def _caption(spec: RunSpec, target: Path, report: DatasetReport, recorder: Recorder, stop: asyncio.Event) -> None:
    """Describe the images that have only the template, where there is a model for it."""
    model = str(spec.job.config.get("caption_model") or "")
    if not model:
        recorder.enter(TrainingStage.CAPTIONING, f"{len(report.uncaptioned)} captions made from the trigger word")
        return
    await caption_images(_captions(spec, model), target, report.uncaptioned, recorder, stop)


def _captions(spec: RunSpec, model: str) -> Captions:
    run = mark(spec.job.job_id, spec.job.attempt)
    return Captions(Path(model).expanduser(), spec.job.trigger_word, run)


class _Teller:
    """Carries the progress from the preparing thread to the journal, a few times a second."""

    def __init__(self, recorder: Recorder, stop: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
        self._recorder = recorder
        self._stop = stop
        self._loop = loop
        self._told_at = 0.0

    def tell(self, progress: PrepareProgress) -> None:
        """One image is done; raises `PreparationStopped` to end the preparation."""
        if self._stop.is_set():
            raise PreparationStopped
        now = time.monotonic()
        if progress.problem or progress.done == progress.total or now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            self._loop.call_soon_threadsafe(self._journal, progress)

    def _journal(self, progress: PrepareProgress) -> None:
        if progress.problem:
            self._recorder.log(f"{progress.filename}: {progress.problem}", Level.WARN, filename=progress.filename)
        self._recorder.job(
            EventName.JOB_STAGE,
            f"{progress.done} of {progress.total} images",
            phase="preparing images",
            phase_pct=round(100 * progress.done / progress.total, 1),
        )


def _conclude(recorder: Recorder, report: DatasetReport) -> None:
    words = f"{report.images} images, {report.resized} made smaller, {len(report.duplicates)} duplicates left out"
    recorder.log(f"the dataset is ready: {words}", dataset=report.to_dict())
