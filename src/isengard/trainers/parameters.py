"""Checks what a person asks of a trainer against the parameters it declares. Never guesses at a misspelt name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from isengard.core.errors import InvalidInput
from isengard.trainers.base import Trainer

_REASONS = {"int_parsing_size": "the number is too large"}
"""In plain words what pydantic says of its own inner workings."""


def validate_config(trainer: Trainer, config: Mapping[str, Any]) -> dict[str, Any]:
    """Fill `config` up with the trainer's defaults.

    Raises:
        InvalidInput: A name is unknown or a value is out of range; `field` is ``config.<name>``.
    """
    if not isinstance(config, Mapping):
        raise InvalidInput("the configuration must be an object of parameters", field="config")
    for name, value in config.items():
        _refuse_boolean_figure(trainer.parameters, str(name), value)
    try:
        return trainer.parameters.model_validate(dict(config)).model_dump(mode="json")
    except ValidationError as error:
        raise _explain(trainer, error) from None


def _refuse_boolean_figure(parameters: type[BaseModel], name: str, value: Any) -> None:
    """``true`` would silently count as 1."""
    spec = parameters.model_fields.get(name)
    if isinstance(value, bool) and spec is not None and spec.annotation in (int, float):
        raise InvalidInput(f"{name} must be a number, not {str(value).lower()}", field=f"config.{name}")


def _explain(trainer: Trainer, error: ValidationError) -> InvalidInput:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return InvalidInput(_unknown(trainer, path), field=f"config.{path}")
    words = first["msg"].removeprefix("Value error, ")
    reason = _REASONS.get(first["type"]) or words[:1].lower() + words[1:]
    return InvalidInput(f"{path or 'config'}: {reason}", field=f"config.{path}" if path else "config")


def _unknown(trainer: Trainer, name: str) -> str:
    known = sorted(trainer.parameters.model_fields)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}"
    return f"{name[:80]} is not a parameter of the trainer {trainer.name}; {hint}"
