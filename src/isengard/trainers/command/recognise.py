"""What a command says of itself: which profile reads it, where it writes, how many steps it takes. Nothing else."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from isengard.trainers.command import profile

_OUTPUT = ("output_dir", "output", "out_dir", "save_dir")
_NAME = ("output_name",)
_STEPS = ("max_train_steps", "max_steps", "num_train_steps", "train_steps", "steps")
_SCRIPT = re.compile(r".*\.(py|sh|bash)")


@dataclass(frozen=True, slots=True)
class Recognised:
    """What was found in the arguments.

    Attributes:
        profile: ``generic`` for a command that no other profile knows.
        name: The script's name without its ending, or the program's.
        output_dir: As it was written; None where no argument says so.
        output_name: What the LoRA is to be called, likewise.
        steps: How many there will be, likewise.
    """

    profile: str
    name: str
    output_dir: str | None
    output_name: str | None
    steps: int | None


def recognise(command: Sequence[str]) -> Recognised:
    """Read the arguments of `command`."""
    steps = None
    with contextlib.suppress(ValueError):
        steps = int(_value(command, _STEPS) or "")
    return Recognised(
        profile=_profile(command),
        name=_name(command),
        output_dir=_value(command, _OUTPUT),
        output_name=_value(command, _NAME),
        steps=steps if steps and steps > 0 else None,
    )


def _profile(command: Sequence[str]) -> str:
    """The first profile one of whose scripts stands in the command, by its file name or as ``-m`` names it."""
    words = [PurePath(argument).name for argument in command if not argument.startswith("-")]
    for name in profile.names():
        scripts = [re.compile(pattern) for pattern in profile.load(name).scripts]
        if any(script.fullmatch(word) for word in words for script in scripts):
            return name
    return "generic"


def _name(command: Sequence[str]) -> str:
    script = next((argument for argument in command if _SCRIPT.fullmatch(argument)), None)
    return PurePath(script).stem if script else PurePath(command[0]).name


def _value(command: Sequence[str], names: Sequence[str]) -> str | None:
    """The value of the first of these options that is given, as ``--name value`` or ``--name=value``."""
    for name in names:
        spelled = re.compile(rf"--{name}(?:=(.*))?".replace("_", "[-_]"), re.DOTALL)
        for position, argument in enumerate(command):
            match = spelled.fullmatch(argument)
            if match and match[1] is not None:
                return match[1] or None
            if match and position + 1 < len(command):
                return command[position + 1]
    return None
