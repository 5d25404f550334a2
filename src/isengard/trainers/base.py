"""The interface between Isengard and whatever trains: what a third party implements.

A trainer says which parameters it takes, whether it can run here, and how its process is started. It runs in a process
of its own and reports through a callback or through what it prints; it never sees journal, bus or store.
`docs/trainers.md` walks through writing one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from isengard.core.settings import Settings
from isengard.events.reports import Report


class TrainingParameters(BaseModel):
    """The parameters that every trainer takes; a trainer adds its own by inheriting.

    A field's ``json_schema_extra`` may hold ``{"group": "common" | "advanced", "unit": "px"}``: hints for the form.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    steps: int = Field(1000, ge=1, le=1_000_000, description="Optimizer steps.", json_schema_extra={"group": "common"})
    learning_rate: float = Field(
        1e-4, gt=0, le=1, description="Peak learning rate.", json_schema_extra={"group": "common"}
    )
    batch_size: int = Field(1, ge=1, le=256, description="Images a step.", json_schema_extra={"group": "common"})
    resolution: int = Field(
        512,
        ge=16,
        le=4096,
        description="Longer side of a training image.",
        json_schema_extra={"group": "common", "unit": "px"},
    )
    lora_rank: int = Field(16, ge=1, le=1024, description="Rank of the LoRA.", json_schema_extra={"group": "common"})
    sample_every_n_steps: int = Field(
        100, ge=0, le=1_000_000, description="Steps between samples; 0 for none.", json_schema_extra={"group": "common"}
    )
    sample_prompts: list[str] = Field(
        default_factory=list,
        max_length=32,
        description="Prompts of the samples; empty for one made from the trigger word.",
        json_schema_extra={"group": "common"},
    )
    checkpoint_every_n_steps: int = Field(
        250,
        ge=0,
        le=1_000_000,
        description="Steps between checkpoints; 0 for the final one only.",
        json_schema_extra={"group": "common"},
    )
    seed: int = Field(42, ge=0, le=2**63 - 1, description="Seed of data order, noise and samples.")
    caption_template: str = Field(
        "{trigger_word}",
        max_length=1000,
        description="Caption of an image that has none; {trigger_word} and {name} are filled in.",
        json_schema_extra={"group": "advanced"},
    )
    caption_model: str = Field(
        "",
        max_length=1000,
        description="Folder of an image-to-text model (transformers) that describes images without a caption.",
        json_schema_extra={"group": "advanced"},
    )
    gpus: int = Field(
        1,
        ge=0,
        le=64,
        description="GPUs it needs at once; a machine without a GPU runs it on its processors.",
        json_schema_extra={"group": "advanced"},
    )
    retries: int | None = Field(
        None,
        ge=0,
        le=100,
        description="How often it is resumed by itself after a failure that may pass; empty for the server's setting.",
        json_schema_extra={"group": "advanced"},
    )

    @property
    def gpus_needed(self) -> int:
        """How many GPUs have to be free before it starts."""
        return self.gpus


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """What a trainer is asked to do. Paths are absolute and exist unless said otherwise.

    Attributes:
        config: The validated parameters (`Trainer.parameters`), every default filled in.
        dataset: Folder of images, each with its caption in a ``.txt`` of the same stem.
        samples: Where sample images go.
        checkpoints: Where checkpoints go.
        workdir: The trainer's own folder for generated files.
        output: Where the final LoRA is to be written, a ``.safetensors`` that does not exist yet.
        resume_from: Newest whole checkpoint of an earlier attempt, None for a fresh start.
        start_step: The step that checkpoint stands at; 0 for a fresh start.
    """

    job_id: str
    correlation_id: str
    character_id: str
    character_name: str
    trigger_word: str
    config: dict[str, Any]
    dataset: Path
    samples: Path
    checkpoints: Path
    workdir: Path
    output: Path
    attempt: int = 1
    resume_from: Path | None = None
    start_step: int = 0


@dataclass(frozen=True, slots=True)
class Launch:
    """How the trainer's process is started; never through a shell.

    Attributes:
        argv: Program and arguments.
        env: Variables added to the runner's own environment.
        cwd: Working folder, None for the job's ``trainer/``.
        terminal: Whether the process gets a pseudo-terminal for its output instead of two pipes.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class Attach:
    """A process that runs already and is followed instead of started.

    Attributes:
        pid: Its process id.
        started: When the kernel started it, to tell it from a later process with its id.
        interactive: Whether a person works in it (a notebook): it may be interrupted, but never ended.
    """

    pid: int
    started: float
    interactive: bool = False


EXIT_UNKNOWN = -1000
"""The exit code of a process that is gone and of which nobody can say how it ended."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the trainer's process ended: `exit_code` is negative for a signal, as in `subprocess`, or `EXIT_UNKNOWN`."""

    exit_code: int
    stop_requested: bool
    last_lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an ending means.

    Attributes:
        outcome: ``completed``, ``failed`` or ``cancelled``.
        error: One sentence, for a failure.
        error_type: Exception class or short name of the cause, for a failure.
        error_stack: The trainer's traceback, if it printed one.
        leaves_lora: Whether a completed run has made a LoRA; without one there is nothing to keep.
    """

    outcome: str
    error: str | None = None
    error_type: str | None = None
    error_stack: str | None = None
    leaves_lora: bool = True


@runtime_checkable
class Observer(Protocol):
    """Turns what an external program prints and leaves on disk into reports. One observer serves one run."""

    def line(self, stream: str, text: str) -> Iterable[Report]:
        """Read one line (or one redraw of a progress bar) of ``stdout`` or ``stderr``, ANSI codes removed."""
        ...

    def poll(self) -> Iterable[Report]:
        """Look at the files the program leaves; called about every second while it runs."""
        ...

    def ended(self) -> Iterable[Report]:
        """Tell what is left to tell; called once, after the program's end and its last line."""
        ...

    def verdict(self, ending: Ending) -> Verdict:
        """Say what the ending means."""
        ...


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a trainer can run here; `missing` names what it lacks and how to get it, a sentence each."""

    missing: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


class Trainer(Protocol):
    """A way to train. Registered in the entry-point group ``isengard.trainers`` as a class without arguments."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    parameters: ClassVar[type[TrainingParameters]]
    capabilities: ClassVar[frozenset[str]]
    """Of ``resume``, ``sample_now``, ``save_now``."""

    def availability(self, settings: Settings) -> Availability:
        """Look whether it can run here, quickly and without importing what is heavy."""
        ...

    def launch(self, job: TrainingJob, settings: Settings) -> Launch | Attach:
        """Write what the program needs below ``job.workdir`` and say how it is started, or which one is followed."""
        ...

    def observer(self, job: TrainingJob) -> Observer:
        """The reader of the program's output for this run."""
        ...
