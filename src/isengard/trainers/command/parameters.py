"""What a person can set about a training by a command of their own."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from isengard.core.errors import InvalidInput
from isengard.trainers.base import TrainingParameters
from isengard.trainers.command import profile, template

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class CommandParameters(TrainingParameters):
    """Parameters of a training by any command; those of every trainer are there to be named in the template."""

    command: list[str] = Field(
        min_length=1,
        max_length=500,
        description="Program and arguments, one entry each; {dataset}, {output_dir}, {steps} and others are filled in.",
        json_schema_extra={"group": "common"},
    )
    profile: str = Field(
        "generic",
        max_length=500,
        description="How to read its output: generic, diffusers, kohya, simpletuner, or a path to a YAML file.",
        json_schema_extra={"group": "common", "examples": ["generic", "diffusers", "kohya", "simpletuner"]},
    )
    cwd: str | None = Field(None, max_length=1000, description="Folder to run in; the job's own when not given.")
    env: dict[str, str] = Field(
        default_factory=dict,
        max_length=100,
        description="Variables for the command. Give secrets as secrets, not here.",
    )
    output_dir: str | None = Field(
        None, max_length=1000, description="Folder the command writes to; the job's own when not given."
    )
    output_name: str | None = Field(
        None, max_length=200, description="What the command calls its LoRA; a name made for the job when not given."
    )
    terminal: bool = Field(
        True, description="Give the command a terminal for its output, so that bars are painted as in yours."
    )
    expect_lora: bool = Field(True, description="Count the run as failed when it leaves no LoRA that opens.")

    @field_validator("command")
    @classmethod
    def _sound(cls, value: list[str]) -> list[str]:
        if not value[0].strip():
            raise ValueError("the program must not be empty")
        if any("\0" in argument or len(argument) > 20_000 for argument in value):
            raise ValueError("an argument must be at most 20000 characters and hold no NUL")
        try:
            template.check(value)
        except InvalidInput as error:
            raise ValueError(error.detail) from None
        return value

    @field_validator("profile")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            profile.load(value)
        except InvalidInput as error:
            raise ValueError(error.detail) from None
        return value

    @field_validator("env")
    @classmethod
    def _names(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not _VARIABLE.fullmatch(name) or name.startswith(("ISENGARD_", "LD_")) or "\0" in text:
                raise ValueError(f"{name[:60]!r} cannot be set for a command")
        return value
