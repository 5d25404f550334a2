"""What a LoRA file says about itself: kohya's ``ss_`` keys, which ComfyUI and A1111 show, and the modelspec standard.

Knows nothing of tensors. Holds no path and no secret: people pass these files on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from isengard import __version__
from isengard.trainers.base import TrainingJob
from isengard.trainers.diffusers.parameters import DiffusersParameters


@dataclass(frozen=True, slots=True)
class Facts:
    """What the training knows and the job does not.

    Attributes:
        base_version: Kohya's name of the base model's kind (``sd_v1``).
        architecture: The modelspec name of it (``stable-diffusion-v1/lora``).
        prediction: ``epsilon``, ``v_prediction``, ``sample`` or ``flow``.
        precision: Number format of the base model.
        started: When this attempt began.
    """

    base_version: str
    architecture: str
    prediction: str
    precision: str
    captions: tuple[str, ...]
    epoch_length: int
    started: datetime


def describe(job: TrainingJob, parameters: DiffusersParameters, facts: Facts, step: int) -> dict[str, str]:
    """The metadata of a LoRA at `step`; values are strings, as the format wants."""
    return {**_kohya(job, parameters, facts, step), **_modelspec(job, parameters, facts), **_own(job, step)}


def _kohya(job: TrainingJob, parameters: DiffusersParameters, facts: Facts, step: int) -> dict[str, str]:
    micro_batches = step * parameters.gradient_accumulation
    values = {
        "ss_output_name": job.output.stem,
        "ss_network_module": "networks.lora",
        "ss_network_dim": parameters.lora_rank,
        "ss_network_alpha": f"{parameters.alpha:g}",
        "ss_base_model_version": facts.base_version,
        "ss_v2": facts.base_version == "sd_v2",
        "ss_sd_model_name": Path(parameters.base_model).name,
        "ss_resolution": f"({parameters.resolution}, {parameters.resolution})",
        "ss_steps": step,
        "ss_max_train_steps": parameters.steps,
        "ss_epoch": -(-micro_batches // facts.epoch_length),
        "ss_num_train_images": len(facts.captions),
        "ss_num_batches_per_epoch": facts.epoch_length,
        "ss_total_batch_size": parameters.batch_size * parameters.gradient_accumulation,
        "ss_gradient_accumulation_steps": parameters.gradient_accumulation,
        "ss_gradient_checkpointing": parameters.gradient_checkpointing,
        "ss_learning_rate": parameters.learning_rate,
        "ss_lr_scheduler": parameters.lr_scheduler.value,
        "ss_lr_warmup_steps": parameters.lr_warmup_steps,
        "ss_optimizer": parameters.optimizer.value,
        "ss_max_grad_norm": parameters.max_grad_norm,
        "ss_min_snr_gamma": parameters.snr_gamma,
        "ss_noise_offset": parameters.noise_offset,
        "ss_caption_dropout_rate": parameters.caption_dropout,
        "ss_mixed_precision": facts.precision,
        "ss_seed": parameters.seed,
        "ss_tag_frequency": json.dumps({job.character_name: tag_frequency(facts.captions)}),
        "ss_training_started_at": facts.started.timestamp(),
        "ss_training_finished_at": datetime.now(UTC).timestamp(),
    }
    return {name: str(value) for name, value in values.items()}


def _modelspec(job: TrainingJob, parameters: DiffusersParameters, facts: Facts) -> dict[str, str]:
    spec = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": facts.architecture,
        "modelspec.implementation": "diffusers",
        "modelspec.title": job.character_name,
        "modelspec.date": datetime.now(UTC).isoformat(timespec="seconds"),
        "modelspec.resolution": f"{parameters.resolution}x{parameters.resolution}",
        "modelspec.trigger_phrase": job.trigger_word,
    }
    prediction = {"epsilon": "epsilon", "v_prediction": "v"}.get(facts.prediction)
    return spec | ({"modelspec.prediction_type": prediction} if prediction else {})


def _own(job: TrainingJob, step: int) -> dict[str, str]:
    return {"format": "pt", "isengard_version": __version__, "isengard_job": job.job_id, "step": str(step)}


def tag_frequency(captions: Iterable[str]) -> dict[str, int]:
    """How often each comma-separated part of the captions occurs, most frequent first."""
    tags = (tag.strip() for caption in captions for tag in caption.split(","))
    return dict(Counter(tag for tag in tags if tag).most_common())
