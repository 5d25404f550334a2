"""Writes ai-toolkit's configuration file from ours. Never puts a secret into it: ai-toolkit prints what it reads.

ai-toolkit replaces ``${NAME}`` anywhere in the file by the environment's value and then prints and saves the result, so
a prompt with such a text would leak a variable; it is written as an escape here that only the YAML parser undoes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from isengard.trainers.aitoolkit.parameters import AIToolkitParameters
from isengard.trainers.base import TrainingJob

FOLDER = "aitoolkit"
"""ai-toolkit's own output folder below the job's ``trainer/``."""

DATABASE = "aitk_db.db"
"""The private copy of its UI's database, through which it takes requests."""


def save_root(job: TrainingJob) -> Path:
    """Where ai-toolkit puts everything of this job."""
    return job.workdir / FOLDER / job.job_id


def build(job: TrainingJob) -> dict[str, Any]:
    """The whole configuration as ai-toolkit documents it."""
    parameters = AIToolkitParameters.model_validate(job.config)
    process = merge(_process(job, parameters), parameters.extra)
    return {"job": "extension", "config": {"name": job.job_id, "process": [process]}}


def write(job: TrainingJob) -> Path:
    """Write the configuration below ``job.workdir`` and return its path."""
    path = job.workdir / "ai-toolkit.yaml"
    path.write_text(dump(build(job)), encoding="utf-8")
    return path


def dump(config: Mapping[str, Any]) -> str:
    """`config` as YAML in which no text can be taken for an environment variable."""
    text = yaml.dump(config, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))
    return text.replace("${", "\\u0024{")


def merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`: objects key by key, lists of objects place by place, everything else replaced."""
    merged = dict(base)
    for key, value in over.items():
        merged[key] = _merge_value(merged.get(key), value)
    return merged


def _merge_value(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, Mapping):
        return merge(base, over)
    if isinstance(base, list) and isinstance(over, list) and _all_objects(base) and _all_objects(over):
        shared = [merge(left, right) for left, right in zip(base, over, strict=False)]
        return shared + list(over[len(base) :]) + base[len(over) :]
    return over


def _all_objects(values: list[Any]) -> bool:
    return bool(values) and all(isinstance(value, Mapping) for value in values)


def _process(job: TrainingJob, parameters: AIToolkitParameters) -> dict[str, Any]:
    process: dict[str, Any] = {
        "type": "diffusion_trainer",
        "training_folder": str(job.workdir / FOLDER),
        "sqlite_db_path": str(job.workdir / DATABASE),
        "device": parameters.device if parameters.device != "cuda" else "cuda:0",
        "network": _network(parameters),
        "save": _save(parameters),
        "logging": {"log_every": 1, "use_ui_logger": True},
        "datasets": [_dataset(job, parameters)],
        "train": _train(parameters),
        "model": _model(parameters),
        "sample": _sample(job, parameters),
    }
    if job.trigger_word:
        process["trigger_word"] = job.trigger_word
    return process


def _network(parameters: AIToolkitParameters) -> dict[str, Any]:
    alpha = parameters.lora_alpha or float(parameters.lora_rank)
    network: dict[str, Any] = {"type": "lora", "linear": parameters.lora_rank, "linear_alpha": alpha}
    if parameters.conv_rank:
        network |= {"conv": parameters.conv_rank, "conv_alpha": float(parameters.conv_rank)}
    return network


def _save(parameters: AIToolkitParameters) -> dict[str, Any]:
    return {
        "dtype": "float16",
        # 0 means "the final one only" with us; ai-toolkit divides by it.
        "save_every": parameters.checkpoint_every_n_steps or parameters.steps + 1,
        "max_step_saves_to_keep": parameters.keep_checkpoints,
    }


def _dataset(job: TrainingJob, parameters: AIToolkitParameters) -> dict[str, Any]:
    return {
        "folder_path": str(job.dataset),
        "caption_ext": "txt",
        "caption_dropout_rate": parameters.caption_dropout,
        "cache_latents_to_disk": parameters.cache_latents,
        "resolution": parameters.resolutions or [parameters.resolution],
    }


def _train(parameters: AIToolkitParameters) -> dict[str, Any]:
    train: dict[str, Any] = {
        "steps": parameters.steps,
        "lr": parameters.learning_rate,
        "batch_size": parameters.batch_size,
        "gradient_accumulation": parameters.gradient_accumulation,
        "gradient_checkpointing": parameters.gradient_checkpointing,
        "optimizer": parameters.optimizer,
        "lr_scheduler": parameters.lr_scheduler,
        "noise_scheduler": "flowmatch" if parameters.flow_matching else "ddpm",
        "dtype": precision(parameters),
        "train_unet": True,
        "train_text_encoder": parameters.train_text_encoder,
        "skip_first_sample": parameters.skip_first_sample,
        "disable_sampling": parameters.sample_every_n_steps == 0,
    }
    if parameters.ema:
        train["ema_config"] = {"use_ema": True, "ema_decay": 0.99}
    return train


def precision(parameters: AIToolkitParameters) -> str:
    """The training precision in ai-toolkit's words."""
    if parameters.dtype != "auto":
        return parameters.dtype
    if parameters.device == "cpu":
        return "fp32"
    return "bf16" if parameters.flow_matching else "fp16"


def _model(parameters: AIToolkitParameters) -> dict[str, Any]:
    model: dict[str, Any] = {"name_or_path": parameters.base_model}
    if parameters.arch != "sd1":  # ai-toolkit's default; naming it is an unknown architecture to some versions
        model["arch"] = parameters.arch
    if parameters.quantize:
        model |= {"quantize": True, "quantize_te": True}
    if parameters.low_vram:
        model["low_vram"] = True
    return model


def _sample(job: TrainingJob, parameters: AIToolkitParameters) -> dict[str, Any]:
    guidance = parameters.guidance_scale
    if guidance is None:
        guidance = 4.0 if parameters.flow_matching else 7.0
    return {
        "sampler": "flowmatch" if parameters.flow_matching else "ddpm",
        "sample_every": parameters.sample_every_n_steps or parameters.steps + 1,
        "width": parameters.resolution,
        "height": parameters.resolution,
        "prompts": prompts(job),
        "neg": parameters.negative_prompt,
        "seed": parameters.seed,
        "walk_seed": parameters.walk_seed,
        "guidance_scale": guidance,
        "sample_steps": parameters.sample_steps,
        "format": "png",
    }


def prompts(job: TrainingJob) -> list[str]:
    """The prompts of the samples, in the order of their index."""
    given = [str(prompt) for prompt in job.config.get("sample_prompts") or []]
    return given or [f"a photo of {job.trigger_word or job.character_name}"]


class _Dumper(yaml.SafeDumper):
    """Safe YAML that quotes what `dump` has to escape."""


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if "${" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _represent_text)
