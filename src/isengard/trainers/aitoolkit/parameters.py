"""What a person can set about an ai-toolkit training; everything else of its configuration goes through `extra`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, JsonValue, field_validator

from isengard.trainers.base import TrainingParameters

COMMON: dict[str, JsonValue] = {"group": "common"}

DIFFUSION_ARCHS = frozenset({"sd1", "sd2", "sdxl", "ssd", "vega"})
"""Architectures of ai-toolkit trained by noise prediction (DDPM); the others are trained by flow matching."""


class AIToolkitParameters(TrainingParameters):
    """Parameters of an ai-toolkit LoRA training.

    `extra` is laid over the generated ``process`` section, key by key; it may reach everything ai-toolkit knows except
    the places and hooks by which Isengard follows the run.
    """

    base_model: str = Field(
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        min_length=1,
        max_length=500,
        description="Folder, file or hub name of the base model.",
        json_schema_extra=COMMON,
    )
    arch: str = Field(
        "sd1",
        pattern=r"^[A-Za-z0-9_.:-]{1,40}$",
        description="Architecture of the base model as ai-toolkit names it: sd1, sdxl, flux, chroma, …",
        json_schema_extra={**COMMON, "examples": ["sd1", "sdxl", "flux", "flux2", "chroma", "qwen_image", "zimage"]},
    )
    lora_alpha: float | None = Field(None, gt=0, le=4096, description="Alpha of the LoRA; the rank when not given.")
    conv_rank: int | None = Field(None, ge=1, le=1024, description="Rank of LoRA on convolutions; none when not given.")
    dtype: Literal["auto", "bf16", "fp16", "fp32"] = Field(
        "auto", description="Precision of training; auto takes bf16 for flow-matching models and fp16 for the others."
    )
    quantize: bool = Field(False, description="Keep the base model in 8 bit: less memory, a little slower.")
    low_vram: bool = Field(False, description="Quantise on the CPU and keep parts of the model there.")
    optimizer: str = Field(
        "adamw8bit", pattern=r"^[A-Za-z0-9_]{1,40}$", description="adamw, adamw8bit, prodigy, adafactor, automagic, …"
    )
    lr_scheduler: str = Field("constant", pattern=r"^[A-Za-z0-9_]{1,60}$", description="Schedule of the learning rate.")
    gradient_accumulation: int = Field(1, ge=1, le=1024, description="Batches that make one step.")
    gradient_checkpointing: bool = Field(True, description="Recompute activations: much less memory, slower steps.")
    caption_dropout: float = Field(0.05, ge=0, le=1, description="Share of images trained without their caption.")
    resolutions: list[int] = Field(
        default_factory=list, max_length=8, description="Bucket sizes; empty for `resolution` alone."
    )
    train_text_encoder: bool = Field(False, description="Train the text encoder as well.")
    ema: bool = Field(False, description="Keep an exponential moving average of the LoRA (decay 0.99).")
    cache_latents: bool = Field(True, description="Encode every image once, to disk.")
    sample_steps: int = Field(20, ge=1, le=200, description="Denoising steps of a sample.")
    guidance_scale: float | None = Field(
        None, ge=0, le=50, description="Guidance of samples; 4 for flow matching, else 7."
    )
    negative_prompt: str = Field("", max_length=2000, description="Negative prompt of samples.")
    walk_seed: bool = Field(False, description="Count the seed up from prompt to prompt.")
    skip_first_sample: bool = Field(False, description="No sample of the untrained model.")
    keep_checkpoints: int = Field(5, ge=1, le=1000, description="How many intermediate checkpoints ai-toolkit keeps.")
    device: Literal["cuda", "cpu", "mps"] = Field(
        "cuda", description="Where to train; the GPU itself is the queue's choice."
    )
    extra: dict[str, Any] = Field(
        default_factory=dict,
        description="Raw keys of ai-toolkit's process section, merged over ours.",
        json_schema_extra={"group": "advanced", "format": "json"},
    )

    @field_validator("extra")
    @classmethod
    def _not_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        taken = sorted(RESERVED & set(value))
        if taken:
            raise ValueError(f"{', '.join(taken)} cannot be set here: Isengard follows the run through it")
        for section in ("datasets", "network", "save", "train", "model", "sample", "logging"):
            if section in value and not isinstance(value[section], list if section == "datasets" else dict):
                raise ValueError(f"{section} must be {'a list' if section == 'datasets' else 'an object'}")
        return value

    @property
    def gpus_needed(self) -> int:
        """None on the processor."""
        return 0 if self.device == "cpu" else self.gpus

    @property
    def flow_matching(self) -> bool:
        """Whether the architecture is trained by flow matching."""
        return self.arch.split(":")[0] not in DIFFUSION_ARCHS


RESERVED = frozenset({"type", "training_folder", "sqlite_db_path", "logging"})
"""Keys of the process section through which a run is followed."""
