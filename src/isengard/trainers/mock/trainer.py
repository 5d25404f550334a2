"""What the mock trainer takes and offers. Needs no GPU, no download and no package beyond the base install.

The loop itself is loaded by the process that trains and by no other.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, JsonValue

from isengard.trainers.base import TrainingParameters
from isengard.trainers.host import PythonTrainer
from isengard.trainers.mock.fail_mode import FailMode
from isengard.trainers.run import TrainingRun

_ADVANCED: dict[str, JsonValue] = {"group": "advanced"}


class MockParameters(TrainingParameters):
    """The common parameters, the speed, and the ways to go wrong."""

    steps: int = Field(200, ge=1, le=1_000_000, description="Optimizer steps.", json_schema_extra={"group": "common"})
    sample_every_n_steps: int = Field(
        50, ge=0, le=1_000_000, description="Steps between samples; 0 for none.", json_schema_extra={"group": "common"}
    )
    checkpoint_every_n_steps: int = Field(
        100,
        ge=0,
        le=1_000_000,
        description="Steps between checkpoints; 0 for the final one only.",
        json_schema_extra={"group": "common"},
    )
    step_time_s: float = Field(
        0.02, ge=0, le=3600, description="Duration of a step.", json_schema_extra={**_ADVANCED, "unit": "s"}
    )
    start_time_s: float = Field(
        0, ge=0, le=3600, description="Duration of loading the model.", json_schema_extra={**_ADVANCED, "unit": "s"}
    )
    fail_mode: FailMode = Field(
        FailMode.NONE, description="What goes wrong, as real trainings do.", json_schema_extra=_ADVANCED
    )
    fail_at_step: int | None = Field(
        None, ge=1, le=1_000_000, description="When it goes wrong; halfway if empty.", json_schema_extra=_ADVANCED
    )
    gpus: int = Field(0, ge=0, le=64, description="GPUs it waits for, as a real training would.")
    fail_exit_code: int = Field(
        3, ge=1, le=255, description="The exit code of `fail_mode` `exit_code`.", json_schema_extra=_ADVANCED
    )


class MockTrainer(PythonTrainer):
    """Trains nothing, convincingly."""

    name: ClassVar[str] = "mock"
    title: ClassVar[str] = "Mock"
    description: ClassVar[str] = "A training without a GPU: seeded loss curve, samples, checkpoints, and real failures."
    parameters: ClassVar[type[TrainingParameters]] = MockParameters
    capabilities: ClassVar[frozenset[str]] = frozenset({"resume", "sample_now", "save_now"})

    def train(self, run: TrainingRun) -> None:
        """Run through the stages of a real training."""
        from isengard.trainers.mock.loop import Loop  # noqa: PLC0415 - numpy and Pillow, which only a training needs

        Loop(run, MockParameters(**run.job.config)).run()
