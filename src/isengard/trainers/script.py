"""The trainer `script`: a training that was started by somebody else and reports through the SDK. Starts nothing.

No job can ask for it: the script makes its own job (`docs/sdk.md`).
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from isengard.core.settings import Settings
from isengard.trainers import jobfile
from isengard.trainers.base import Attach, Availability, Ending, TrainingJob, TrainingParameters, Verdict
from isengard.trainers.host import EXIT_STOPPED, HostObserver

ATTACHED = "attached.json"
"""The file in the job's ``trainer/`` that names the process to follow."""


class ScriptParameters(TrainingParameters):
    """What is known of a script: what it said of itself."""

    script: str = Field("", description="The file that was run.")
    settings: dict[str, Any] = Field(default_factory=dict, description="The script's own configuration, as it gave it.")


class ScriptTrainer:
    """Follows a script that runs already."""

    name: ClassVar[str] = "script"
    title: ClassVar[str] = "A script of your own"
    description: ClassVar[str] = "Any Python training that reports through the SDK."
    parameters: ClassVar[type[TrainingParameters]] = ScriptParameters
    capabilities: ClassVar[frozenset[str]] = frozenset({"sample_now", "save_now"})

    def availability(self, settings: Settings) -> Availability:
        """Never for a job that is submitted."""
        return Availability(("a script starts it by itself, with isengard.init(); see docs/sdk.md",))

    def launch(self, job: TrainingJob, settings: Settings) -> Attach:
        """Nothing to start: the process to follow; raises OSError or ValueError when nobody wrote which."""
        return jobfile.read(job.workdir / ATTACHED, Attach)

    def observer(self, job: TrainingJob) -> ScriptObserver:
        """The observer of this run."""
        return ScriptObserver(job)


class ScriptObserver(HostObserver):
    """Reads nothing either, because the script reports by itself; judges by the same codes, and by the LoRA it left."""

    def __init__(self, job: TrainingJob) -> None:
        self._job = job

    def verdict(self, ending: Ending) -> Verdict:
        """Completed for 0, cancelled for any other end after a stop request or by Ctrl-C, failed otherwise."""
        if ending.exit_code == 0 and not ending.stop_requested:
            return Verdict("completed", leaves_lora=self._job.output.exists())
        if ending.stop_requested or ending.exit_code == EXIT_STOPPED:
            return Verdict("cancelled")
        return Verdict("failed")
