"""Models of the system routes: liveness, readiness, what this server is and can do, the demo."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from isengard.api.schemas.characters import CharacterView
from isengard.api.schemas.common import Answer
from isengard.api.schemas.training import JobView


class Health(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str = Field(examples=["0.1.0"])


class DependencyCheck(Answer):
    """One thing this server depends on. Without a `required` one it cannot serve; without another it serves less."""

    name: str = Field(examples=["database"])
    ok: bool
    required: bool
    detail: str = Field(examples=["SQLite in the data folder"])
    took_ms: float


class Readiness(Answer):
    """``ready``: all is well. ``degraded``: it serves, but something is missing (no worker: jobs stay queued)."""

    status: Literal["ready", "degraded", "unavailable"]
    checks: list[DependencyCheck]


class TrainerView(Answer):
    """An installed trainer."""

    name: str = Field(examples=["mock"])
    title: str
    description: str
    available: bool
    missing: list[str] = Field(description="What it lacks to run here and how to get it, a sentence each.")
    capabilities: list[str] = Field(description="Of `resume`, `sample_now`, `save_now`.", examples=[["resume"]])
    parameters: dict[str, Any] = Field(description="JSON Schema of its configuration.")


class Limits(Answer):
    """What this server takes at most."""

    max_body_bytes: int
    max_upload_bytes: int
    max_upload_files: int
    max_image_bytes: int
    max_streams: int
    log_page: int = Field(description="Most entries of one page of `logs/view`.")
    metric_points: int = Field(description="Most points of one series.")


class Info(Answer):
    """What this server is and can do."""

    name: Literal["isengard"] = "isengard"
    version: str = Field(examples=["0.1.0"])
    mode: str = Field(examples=["fast-test"])
    default_trainer: str = Field(description="Trainer of a job that names none.", examples=["mock"])
    trainers: list[TrainerView]
    limits: Limits
    python: str = Field(examples=["3.11.9"])
    platform: str = Field(examples=["Linux-6.1-x86_64"])
    started_at: str
    features: list[str] = Field(description="Optional parts that are on (`redis`, `postgres`, `token`).")


class Demo(Answer):
    """The demo character and its training, just queued."""

    character: CharacterView
    job: JobView
