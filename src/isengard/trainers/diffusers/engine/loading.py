"""Loads the base model: the pipeline of the right class, frozen, still in main memory, wrapped in its family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers import DiffusionPipeline
from torch import nn

from isengard.trainers.diffusers.base_model import BaseModelUnusable, Kind, kind_of, locate
from isengard.trainers.diffusers.engine.family import Family
from isengard.trainers.diffusers.engine.flux import Flux
from isengard.trainers.diffusers.engine.hardware import Hardware
from isengard.trainers.diffusers.engine.unet import StableDiffusion, StableDiffusion2, StableDiffusionXL
from isengard.trainers.diffusers.parameters import DiffusersParameters

_SD2_TEXT_WIDTH = 1024


def load_base(parameters: DiffusersParameters, hardware: Hardware) -> Family:
    """Find, load and freeze the base model.

    Raises:
        InvalidInput: It cannot be had or cannot be trained; the detail says why.
    """
    folder = locate(parameters.base_model, parameters.variant)
    kind = kind_of(folder)
    pipeline = _load_pipeline(folder, kind, parameters, hardware)
    _freeze(pipeline)
    family = _family_of(kind, pipeline)(pipeline, parameters, hardware)
    if parameters.gradient_checkpointing:
        denoiser: Any = family.denoiser
        denoiser.enable_gradient_checkpointing()
    return family


def _load_pipeline(folder: Path, kind: Kind, parameters: DiffusersParameters, hardware: Hardware) -> Any:
    # Samples are for the person who trains; the safety checker would be loaded for nothing and blank some of them.
    without = {"safety_checker": None, "feature_extractor": None} if kind is Kind.SD else {}
    try:
        pipeline = DiffusionPipeline.from_pretrained(
            folder,
            dtype=hardware.dtype,
            variant=parameters.variant,
            local_files_only=True,
            use_safetensors=True,  # never a pickle, which could run anything
            **without,
        )
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise BaseModelUnusable(
            f"the base model {parameters.base_model} cannot be loaded: {reason[:500]}", field="config.base_model"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _freeze(pipeline: Any) -> None:
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            part.requires_grad_(False).eval()


def _family_of(kind: Kind, pipeline: Any) -> type[Family]:
    if kind is Kind.FLUX:
        return Flux
    if kind is Kind.SDXL:
        return StableDiffusionXL
    width = pipeline.unet.config.cross_attention_dim
    return StableDiffusion2 if width == _SD2_TEXT_WIDTH else StableDiffusion
