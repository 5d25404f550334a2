"""`isengard run -- COMMAND`: follows a training command from a terminal, without a form, a server or a worker.

The runner is a process of its own, as for any job: closing the terminal or killing this command ends the watching, not
the training. Ctrl-C asks it to stop as `isengard cancel` does; a second one ends it at once.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isengard.cli import hints, workspace
from isengard.cli.options import DataDirOption
from isengard.cli.progress import explain, watch
from isengard.cli.run_screen import Screen
from isengard.cli.terminal import complain
from isengard.core.errors import IsengardError, StartupError

if TYPE_CHECKING:
    from isengard.cli.workspace import Workspace
    from isengard.execution.attended import Begun, Plan
    from isengard.jobs.models import Character
    from isengard.journal import Entry, JobFold

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # as shells have it
_LEAVING_S = 20.0
_ARGUMENTS = {"allow_interspersed_args": False}  # what follows the program is the program's


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run", context_settings=_ARGUMENTS)(run)


def run(
    command: Annotated[list[str] | None, typer.Argument(metavar="COMMAND", help="The command, after a --.")] = None,
    name: Annotated[str | None, typer.Option(help="What to file it under; default is the script's name.")] = None,
    character: Annotated[
        str | None, typer.Option("--character", "-c", help="Id or name of a character to file it under instead.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="How to read its output; default is picked by the script's name.")
    ] = None,
    output_dir: Annotated[
        Path | None, typer.Option(help="Where it leaves samples and weights; default is its own --output_dir.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="How many steps it takes, if its output does not say.")
    ] = None,
    expect_lora: Annotated[
        bool, typer.Option("--expect-lora", help="Count it as failed unless it leaves a LoRA that opens.")
    ] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Run a training command and follow it: isengard run -- python train.py --lr 1e-4."""
    if not command:
        raise StartupError("nothing to run; write the command behind two dashes: isengard run -- python train.py")
    if name is not None and character is not None:
        raise StartupError("--name and --character both say what to file it under; give one of them")
    _require_program(command[0])
    given = {"profile": profile, "output_dir": output_dir, "steps": steps}
    with workspace.made(data_dir) as place:
        filed = place.character(character) if character is not None else None
        plan = _plan(place, command, filed or name, {**_known(given), "expect_lora": expect_lora})
        raise typer.Exit(Session(place, plan).run())


def _require_program(program: str) -> None:
    """End as a shell does for a program that is not there."""
    if shutil.which(program):
        return
    is_file = os.sep in program and Path(program).is_file()
    complain(f"{program}: {'permission denied' if is_file else 'command not found'}")
    raise typer.Exit(_NOT_EXECUTABLE if is_file else _NOT_FOUND)


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _plan(place: Workspace, command: Sequence[str], under: Character | str | None, given: dict[str, Any]) -> Plan:
    from isengard.execution import attended
    from isengard.trainers import registry
    from isengard.trainers.command import template
    from isengard.trainers.command.recognise import recognise

    found = recognise(command)
    arguments = {name: getattr(found, name) for name in ("profile", "output_dir", "output_name", "steps")}
    config = {**_known(arguments), **given}
    if "output_dir" in config:
        config["output_dir"] = str(Path(config["output_dir"]).expanduser().absolute())
    config |= {"command": template.literal(command), "cwd": os.getcwd(), "terminal": sys.stdout.isatty()}
    validated = registry.validate_config(registry.load("command"), config)
    if under is None or isinstance(under, str):
        under = attended.file_under(place.settings, place.store, found.name if under is None else under)
    told = {key: validated[key] for key in config}  # nothing that nobody said: the command has defaults of its own
    return attended.Plan("command", told, under, steps=int(config.get("steps", 0)))


_NOTHING_SEEN = (
    "no step, sample or checkpoint of it was recognised (profile {profile}), so nothing but its exit code says that it "
    "trained: --profile reads its output another way, --output-dir says where its files are, --expect-lora asks for one"
)


@dataclass
class Session:
    """One command, from its start to its exit code."""

    place: Workspace
    plan: Plan
    _interrupts: int = 0
    _obeyed: int = 0
    _hung_up: bool = False
    _exit: dict[str, Any] = field(default_factory=dict)
    _error_type: str | None = None

    def run(self) -> int:
        """Run it; the exit code for the shell."""
        from isengard.execution import attended
        from isengard.execution.launcher_local import Echo

        screen = Screen.open()
        with self._signals():
            try:
                begun = attended.begin(self.place.settings, self.place.store, self.plan, echo=Echo(screen.writing_ends))
            finally:
                screen.let_go_of_writing_ends()
            complain(f"{begun.job.id} runs; profile {self.plan.config['profile']}")
            with screen.showing(begun.job.id, also=self._note) as display:
                paths = self.place.settings.paths.job(begun.job.id)
                fold = watch(paths, stop=lambda: self._look(begun), display=display)
        return self._conclude(begun, fold)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Count interrupts instead of dying of them; a terminal that is closed ends the watching."""
        before = {number: signal.signal(number, self._count) for number in (signal.SIGINT, signal.SIGTERM)}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hang_up)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _count(self, number: int, frame: FrameType | None) -> None:
        self._interrupts += 1

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        self._hung_up = True

    def _note(self, entry: Entry) -> None:
        """Remember how the command itself ended."""
        if entry.event == "subprocess.exit":
            self._exit = dict(entry.fields)
        elif entry.event == "job.failed":
            self._error_type = entry.fields.get("error_type")

    def _look(self, begun: Begun) -> bool:
        """Act on what happened meanwhile; whether to stop watching."""
        if self._obeyed < self._interrupts:
            self._obeyed += 1
            self._obey(begun)
        if begun.runner.exit_code() is not None:
            self._settle(begun)
        return self._hung_up

    def _obey(self, begun: Begun) -> None:
        from isengard.execution import control

        settings, store = self.place.settings, self.place.store
        try:
            if self._obeyed == 1:
                patience = f"{settings.grace_period_s:g} s"
                complain(f"asking it to stop; SIGTERM follows after {patience}. Ctrl-C again ends it at once")
                control.cancel(settings, store, begun.job.id)
            else:
                complain("ending it")
                control.kill(settings, store, begun.job.id)
        except IsengardError as error:  # it may be over by now, which the journal will say
            complain(error.detail)

    def _settle(self, begun: Begun) -> None:
        """The runner is gone: if that was without a word, its end is written here, or by the worker."""
        from isengard.execution import attended

        try:
            attended.settle(self.place.settings, self.place.store, begun.job)
        except IsengardError as error:
            complain(f"{error.detail}; trying again")

    def _conclude(self, begun: Begun, fold: JobFold) -> int:
        job_id = begun.job.id
        if fold.terminal_seq is None:
            return 128 + signal.SIGHUP
        try:
            begun.runner.popen.wait(_LEAVING_S)
        except subprocess.TimeoutExpired:
            complain(f"the runner of {job_id} takes long to leave; it is left to itself")
        if fold.status == "failed":
            explain(self.place.settings.paths.job(job_id))
            cause = f"{fold.error_type or 'Error'}: {fold.error}"
            more = hints.command(f"debug-bundle {job_id} --show-error", self.place.settings)
            complain(f"{job_id} failed: {cause}; more: {more}")
        else:
            complain(f"{job_id} is {fold.status}; {hints.command(f'logs {job_id}', self.place.settings)} has all of it")
            if fold.status == "completed" and not (fold.step or fold.samples or fold.checkpoints):
                complain(_NOTHING_SEEN.format(profile=self.plan.config["profile"]))
        return self._exit_code(fold)

    def _exit_code(self, fold: JobFold) -> int:
        code = self._exit.get("exit_code")
        if not isinstance(code, int):
            return _NOT_FOUND if self._error_type == "LaunchFailed" else 1
        if code == 0 and fold.status == "failed":
            return 1
        return 128 - code if code < 0 else code
