"""The parameters of the diffusers trainer. Never touches torch: the API shows them on machines without it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, JsonValue, field_validator

from isengard.trainers.base import TrainingParameters
from isengard.trainers.diffusers.base_model import DEMO, check_reference

_COMMON: dict[str, JsonValue] = {"group": "common"}
_ADVANCED: dict[str, JsonValue] = {"group": "advanced"}
_SAMPLING: dict[str, JsonValue] = {"group": "sampling"}
_OPTIMIZER: dict[str, JsonValue] = {"group": "optimizer"}
_NETWORK: dict[str, JsonValue] = {"group": "network"}


class Precision(StrEnum):
    """The number format of the frozen base model; LoRA weights and optimizer are always 32 bit."""

    AUTO = "auto"
    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"


class Targets(StrEnum):
    """Which layers of the denoiser get a LoRA."""

    ATTENTION = "attention"
    WIDE = "wide"


class OptimizerName(StrEnum):
    """The optimizers."""

    ADAMW = "adamw"
    ADAMW_8BIT = "adamw8bit"


class Schedule(StrEnum):
    """How the learning rate goes on after the warm-up; the names are those of diffusers."""

    CONSTANT = "constant"
    LINEAR = "linear"
    COSINE = "cosine"
    POLYNOMIAL = "polynomial"


class DiffusersParameters(TrainingParameters):
    """The common parameters and those of LoRA training with diffusers."""

    base_model: str = Field(
        DEMO,
        min_length=1,
        max_length=1024,
        description="The model to adapt: a folder with a diffusers pipeline, a Hugging Face model id, "
        "or `demo` for the tiny model that comes with Isengard.",
        json_schema_extra=_COMMON,
    )
    variant: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,32}$",
        description="Variant of the weight files, such as `fp16`; empty for the plain ones.",
        json_schema_extra=_ADVANCED,
    )
    precision: Precision = Field(
        Precision.AUTO,
        description="Number format of the frozen model; `auto` is bf16 where the GPU has it, else fp16, fp32 on CPU.",
        json_schema_extra=_ADVANCED,
    )
    target_modules: Targets = Field(
        Targets.ATTENTION,
        description="Layers that get a LoRA: `attention`, or `wide` for feed-forward layers and convolutions as well.",
        json_schema_extra=_NETWORK,
    )
    lora_alpha: float | None = Field(
        None,
        gt=0,
        le=4096,
        description="The LoRA's output is scaled by alpha / rank; empty for alpha = rank.",
        json_schema_extra=_NETWORK,
    )
    lora_dropout: float = Field(
        0.0, ge=0, lt=1, description="Share of a LoRA's inputs set to zero.", json_schema_extra=_NETWORK
    )
    train_text_encoder: bool = Field(
        False,
        description="Give the CLIP text encoders a LoRA too; not for FLUX.",
        json_schema_extra=_NETWORK,
    )
    lr_scheduler: Schedule = Field(
        Schedule.COSINE, description="Course of the learning rate after the warm-up.", json_schema_extra=_OPTIMIZER
    )
    lr_warmup_steps: int = Field(
        0, ge=0, le=1_000_000, description="Steps of linear warm-up.", json_schema_extra=_OPTIMIZER
    )
    optimizer: OptimizerName = Field(
        OptimizerName.ADAMW,
        description="`adamw8bit` saves memory and needs the package bitsandbytes and a CUDA GPU.",
        json_schema_extra=_OPTIMIZER,
    )
    weight_decay: float = Field(
        0.01, ge=0, le=1, description="Decoupled weight decay of AdamW.", json_schema_extra=_OPTIMIZER
    )
    max_grad_norm: float = Field(
        1.0, gt=0, le=1000, description="Gradients are scaled down to this norm.", json_schema_extra=_OPTIMIZER
    )
    gradient_accumulation: int = Field(
        1, ge=1, le=1024, description="Batches that make one optimizer step.", json_schema_extra=_OPTIMIZER
    )
    gradient_checkpointing: bool = Field(
        False, description="Less memory for about a third more time.", json_schema_extra=_ADVANCED
    )
    snr_gamma: float | None = Field(
        None,
        gt=0,
        le=100,
        description="Min-SNR weighting of the loss, usually 5; empty for none. Not for FLUX.",
        json_schema_extra=_ADVANCED,
    )
    noise_offset: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Adds noise to the mean of each channel. Not for FLUX.",
        json_schema_extra=_ADVANCED,
    )
    caption_dropout: float = Field(
        0.05, ge=0, le=1, description="Share of captions replaced by the empty one.", json_schema_extra=_ADVANCED
    )
    flip: bool = Field(
        False,
        description="Mirror half of the images; not for characters that are not symmetric.",
        json_schema_extra=_ADVANCED,
    )
    cache_latents: bool = Field(
        True, description="Encode every image once, before the first step.", json_schema_extra=_ADVANCED
    )
    sample_steps: int = Field(
        20, ge=1, le=1000, description="Denoising steps of a sample image.", json_schema_extra=_SAMPLING
    )
    guidance_scale: float = Field(
        5.0, ge=0, le=100, description="How strictly a sample follows its prompt.", json_schema_extra=_SAMPLING
    )
    negative_prompt: str = Field(
        "",
        max_length=4000,
        description="What samples are to stay away from. Not for FLUX.",
        json_schema_extra=_SAMPLING,
    )
    sample_seed: int | None = Field(
        None,
        ge=0,
        le=2**63 - 100,
        description="Seed of the first prompt's sample, the next one's is one more; empty for the job's seed.",
        json_schema_extra=_SAMPLING,
    )

    @field_validator("base_model")
    @classmethod
    def _exists_if_local(cls, value: str) -> str:
        return check_reference(value)

    @property
    def alpha(self) -> float:
        """The LoRA's alpha with its default filled in."""
        return self.lora_alpha if self.lora_alpha is not None else float(self.lora_rank)
