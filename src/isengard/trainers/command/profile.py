"""Profiles: how to read what a training command prints and leaves on disk, declared in YAML. Never code.

A profile names the bar that counts steps, the figures in it, patterns of lines, and where samples, checkpoints and the
final LoRA appear below the command's output folder. The ready ones lie in ``profiles/``; `docs/trainers/command.md`
explains each key.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from isengard.core.errors import InvalidInput
from isengard.events.models import TrainingStage


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return pattern


def _stays_below(glob: str) -> str:
    if glob.startswith("/") or ".." in glob.split("/"):
        raise ValueError("must be a pattern below the output folder")
    return glob


Regex = Annotated[str, Field(max_length=2000), AfterValidator(_compiles)]


class FilePattern(BaseModel):
    """Files below the output folder; `name` is matched against the path relative to it, `/` between its parts.

    Named groups of `name`: ``step``, ``index``, ``epoch``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    glob: Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_stays_below)]
    name: Regex = ".*"


class StagePattern(BaseModel):
    """A line that says a stage has begun."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    line: Regex
    stage: TrainingStage


class Profile(BaseModel):
    """One kind of training command.

    Attributes:
        bar: Pattern that the whole description of the step-counting bar matches.
        loss: Names of the loss in the bar, first found wins; `lr` likewise.
        first_step: The number the bar shows after the first step.
        lines: Patterns searched in printed lines; named groups ``step``, ``total``, ``loss``, ``lr``.
        final: Globs of the finished LoRA, first found wins; ``{output_name}`` stands for the name it was asked to take.
        scripts: File names of scripts that it reads, by which `isengard run` picks it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field("", max_length=100)
    bar: Regex = r".*"
    loss: tuple[str, ...] = ("loss",)
    lr: tuple[str, ...] = ("lr",)
    first_step: int = Field(1, ge=0, le=1)
    lines: tuple[Regex, ...] = ()
    stages: tuple[StagePattern, ...] = ()
    samples: tuple[FilePattern, ...] = ()
    checkpoints: tuple[FilePattern, ...] = ()
    final: tuple[str, ...] = ()
    scripts: tuple[Regex, ...] = ()


def names() -> list[str]:
    """The names of the profiles that come with Isengard."""
    return sorted(path.name.removesuffix(".yaml") for path in _folder().iterdir() if path.name.endswith(".yaml"))


def load(name: str) -> Profile:
    """The profile called `name`, or the one in the YAML file of that path.

    Raises:
        InvalidInput: There is none, or the file is not a valid profile; the detail says what is wrong with it.
    """
    if name in names():
        return parse(_folder().joinpath(f"{name}.yaml").read_text(encoding="utf-8"), name)
    path = Path(name).expanduser()
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        known = ", ".join(names())
        raise InvalidInput(
            f"there is no profile {name[:120]!r}; use {known}, or a path to a YAML file", field="profile"
        )
    return parse(path.read_text(encoding="utf-8"), path.name)


def parse(text: str, source: str) -> Profile:
    """The profile that `text` declares; `source` names it in errors."""
    try:
        data: Any = yaml.safe_load(text)
        return Profile.model_validate(data if isinstance(data, dict) else {})
    except yaml.YAMLError as error:
        raise InvalidInput(f"the profile {source} is no YAML: {error}", field="profile") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"the profile {source}: {where}: {first['msg']}", field="profile") from None


def _folder() -> Any:
    return files("isengard.trainers.command").joinpath("profiles")
