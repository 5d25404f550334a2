"""Models of training jobs: what starts one, and a job as it stands."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, SecretStr

from isengard.api.schemas.characters import FindingView
from isengard.api.schemas.common import Answer, Request

Status = Literal["queued", "running", "cancelling", "completed", "failed", "cancelled"]
Stage = Literal[
    "queued",
    "initializing",
    "preparing_dataset",
    "captioning",
    "training",
    "sampling",
    "exporting",
    "completed",
    "failed",
    "cancelled",
]


class TrainingPlan(Request):
    """What to train, with which trainer, how."""

    character_id: str = Field(examples=["char-3f9k2m7q8r1t"])
    trainer: str | None = Field(
        None, max_length=64, description="Name of an installed trainer; the mode's own if left out.", examples=["mock"]
    )
    config: dict[str, Any] = Field(
        default_factory=dict,
        description="Parameters of the trainer; `/info` has its JSON Schema. What is left out takes its default.",
        examples=[{"steps": 500, "learning_rate": 0.0001, "sample_every_n_steps": 100}],
    )
    secrets: dict[str, SecretStr] = Field(
        default_factory=dict,
        max_length=32,
        description="Given to the trainer's environment only, and masked wherever they would show up.",
        examples=[{"HF_TOKEN": "…"}],
    )


class TrainingRequest(TrainingPlan):
    """A training to be queued."""

    priority: int = Field(0, ge=-1000, le=1000, description="Higher goes first in the queue.")


class GpuView(Answer):
    """The newest reading of a GPU; what the driver does not tell is null."""

    index: int = 0
    name: str | None = None
    utilization_pct: float | None = None
    memory_used_mb: float | None = None
    memory_total_mb: float | None = None
    process_memory_mb: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    sm_clock_mhz: float | None = None


class SampleView(Answer):
    """The picture that stands for a training in lists."""

    url: str = Field(
        description="Where to get it, as in the list of artifacts; takes `width`. Changes with each newer sample."
    )
    step: int | None
    prompt: str | None = Field(description="At most 200 characters of it.")


class JobView(Answer):
    """A job as it stands, as fresh as its stream."""

    id: str = Field(examples=["train-3f9k2m7q8r1t"])
    character_id: str = Field(examples=["char-3f9k2m7q8r1t"])
    trainer: str = Field(examples=["mock"])
    status: Status
    stage: Stage
    config: dict[str, Any]
    progress: float = Field(description="0 to 100.", examples=[42.5])
    current_step: int
    total_steps: int
    current_loss: float | None
    eta_seconds: float | None
    error_message: str | None
    error_type: str | None
    correlation_id: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    output_path: str | None = Field(description="Where the finished LoRA lies.")
    attempt: int = Field(description="1 for the first run, one more for each resume or retry.")
    lr: float | None
    it_per_s: float | None
    phase: str | None = Field(description="What goes on inside the stage.", examples=["caching latents"])
    phase_pct: float | None = Field(description="0 to 100 within the phase; null where nobody counts.")
    host: str | None = Field(description="The host it runs on; null where that is the site itself.")
    gpu: GpuView | None
    sample: SampleView | None = Field(description="The first prompt's sample at the newest step that has one.")
    last_seq: int = Field(description="Number of the newest journal line this state includes.")
    last_event_at: datetime | None
    priority: int


class JobList(Answer):
    """One page of jobs, newest first."""

    jobs: list[JobView]
    cursor: str | None = Field(description="Continues the listing as `?cursor=`; null at its end.")


class MemoryNeed(Answer):
    """GPU memory that a training will need, roughly: expect it to be off by a fifth either way."""

    total_bytes: int
    weights_bytes: int
    lora_bytes: int
    activations_bytes: int
    rest_bytes: int
    capacity_bytes: int | None = Field(description="Memory of this machine's largest GPU; null without one.")
    fits: bool | None = Field(description="Null where there is no GPU to compare with.")
    settings: dict[str, Any] | None = Field(
        description="The fewest changes with which it would fit; empty if it fits, null if none is known.",
        examples=[{"gradient_checkpointing": True}],
    )


class Preflight(Answer):
    """What would happen to a training request."""

    ok: bool = Field(description="Whether it would be accepted: no finding is an error.")
    trainer: str
    config: dict[str, Any] | None = Field(description="The parameters with every default; null when they are refused.")
    image_count: int
    memory: MemoryNeed | None = Field(description="Null where nothing is known of the base model.")
    findings: list[FindingView]
