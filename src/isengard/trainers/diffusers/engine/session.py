"""Sets a training up in the order that needs the least memory: text, then images, then the network that learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import diffusers
import transformers

from isengard.events.models import TrainingStage
from isengard.trainers.diffusers.engine import hardware as machines
from isengard.trainers.diffusers.engine.adapter import Adapter
from isengard.trainers.diffusers.engine.dataset import BatchPlan, Picture, read_dataset
from isengard.trainers.diffusers.engine.family import Family
from isengard.trainers.diffusers.engine.latents import CachedLatents, Latents, LiveLatents
from isengard.trainers.diffusers.engine.loading import load_base
from isengard.trainers.diffusers.engine.memory import PeakMemory
from isengard.trainers.diffusers.engine.sampler import prompts_of
from isengard.trainers.diffusers.engine.text import FrozenText, LearningText, Text
from isengard.trainers.diffusers.metadata import Facts
from isengard.trainers.diffusers.parameters import DiffusersParameters
from isengard.trainers.run import TrainingRun


@dataclass(frozen=True, slots=True)
class Session:
    """Everything a training holds once it is set up."""

    family: Family
    pictures: list[Picture]
    plan: BatchPlan
    text: Text
    latents: Latents
    adapter: Adapter
    facts: Facts
    memory: PeakMemory


def prepare(run: TrainingRun, parameters: DiffusersParameters) -> Session:
    """Load, read and encode everything the first step needs; ends in order when a stop is asked for meanwhile."""
    started = datetime.now(UTC)
    quieten()
    run.stage(TrainingStage.INITIALIZING, "loading the base model")
    run.phase("loading model")
    hardware = machines.choose(parameters.precision)
    memory = PeakMemory(hardware)
    family = load_base(parameters, hardware)
    run.log(f"{type(family.pipeline).__name__} on {hardware.describe()}")
    _pause(run)
    run.stage(TrainingStage.PREPARING_DATASET, "reading the images")
    pictures = read_dataset(
        run.job.dataset,
        resolution=parameters.resolution,
        grain=family.grain,
        default_caption=run.job.trigger_word,
    )
    plan = BatchPlan(pictures, parameters.batch_size, parameters.seed)
    text = _text(run, family, pictures)
    latents = _latents(run, family, pictures)
    adapter = Adapter(family, parameters.seed)
    family.place(family.denoiser)
    _pause(run)
    return Session(family, pictures, plan, text, latents, adapter, _facts(family, pictures, plan, started), memory)


def quieten() -> None:
    """Keep the libraries' progress bars and advice out of the output; their errors stay."""
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def _text(run: TrainingRun, family: Family, pictures: list[Picture]) -> Text:
    if family.parameters.train_text_encoder:
        return LearningText(family)
    captions = [picture.caption for picture in pictures]
    prompts = [*captions, "", family.parameters.negative_prompt, *prompts_of(run)]
    return FrozenText(family, prompts, _progress(run, "encoding captions"))


def _latents(run: TrainingRun, family: Family, pictures: list[Picture]) -> Latents:
    family.place(family.pipeline.vae)
    if not family.parameters.cache_latents:
        return LiveLatents(family, pictures)
    return CachedLatents(family, pictures, flip=family.parameters.flip, progress=_progress(run, "caching latents"))


def _progress(run: TrainingRun, phase: str) -> Callable[[float], None]:
    """Tells each whole percent once, and stops the run when that is asked for."""
    told = -1

    def tell(pct: float) -> None:
        nonlocal told
        if int(pct) > told:
            told = int(pct)
            run.phase(phase, round(pct, 1))
        _pause(run)

    return tell


def _pause(run: TrainingRun) -> None:
    if run.stop_requested:
        run.stop()


def _facts(family: Family, pictures: list[Picture], plan: BatchPlan, started: datetime) -> Facts:
    return Facts(
        base_version=family.base_version,
        architecture=family.architecture,
        prediction=family.prediction,
        precision={"torch.bfloat16": "bf16", "torch.float16": "fp16"}.get(str(family.hardware.dtype), "no"),
        captions=tuple(picture.caption for picture in pictures),
        epoch_length=plan.epoch_length,
        started=started,
    )
