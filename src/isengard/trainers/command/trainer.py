"""The `command` trainer: runs any training command and follows it by a profile. Never uses a shell."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from isengard.core.settings import Settings
from isengard.trainers.base import Availability, Launch, Observer, TrainingJob, TrainingParameters
from isengard.trainers.command import profile, template
from isengard.trainers.command.files import OutputFiles
from isengard.trainers.command.observer import CommandObserver
from isengard.trainers.command.parameters import CommandParameters

_TOLD = {"PYTHONUNBUFFERED": "1", "TQDM_MININTERVAL": "0"}
"""A bar that is painted at most ten times a second, as tqdm's is by itself, would leave out quick steps."""


class CommandTrainer:
    """Trains with a command of the user's own."""

    name: ClassVar[str] = "command"
    title: ClassVar[str] = "Any command"
    description: ClassVar[str] = "kohya sd-scripts, SimpleTuner, diffusers' examples or a script of your own, as it is."
    parameters: ClassVar[type[TrainingParameters]] = CommandParameters
    capabilities: ClassVar[frozenset[str]] = frozenset()

    def availability(self, settings: Settings) -> Availability:
        """Nothing is missing before a command is named."""
        return Availability()

    def launch(self, job: TrainingJob, settings: Settings) -> Launch:
        """Fill the template in and say how it is started: on a pseudo-terminal, so that bars are painted."""
        parameters = CommandParameters.model_validate(job.config)
        output = _output(job, parameters)
        return Launch(
            argv=tuple(template.fill(parameters.command, template.values(job, output))),
            env=_TOLD | parameters.env,
            cwd=Path(parameters.cwd).expanduser() if parameters.cwd else None,
            terminal=parameters.terminal,
        )

    def observer(self, job: TrainingJob) -> Observer:
        """The reader of this run."""
        parameters = CommandParameters.model_validate(job.config)
        reading = profile.load(parameters.profile)
        files = OutputFiles(_output(job, parameters), reading, parameters.output_name or job.output.stem)
        return CommandObserver(job, reading, files, needs_lora=parameters.expect_lora)


def _output(job: TrainingJob, parameters: CommandParameters) -> Path:
    """Where the command writes; made if it is the job's own."""
    if parameters.output_dir is not None:
        return Path(parameters.output_dir).expanduser()
    output = job.workdir / "output"
    output.mkdir(parents=True, exist_ok=True)
    return output
