"""What every installed trainer keeps to, whoever wrote it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from importlib.metadata import entry_points
from typing import Any

import pytest
from pydantic import BaseModel

from isengard.core.errors import InvalidInput
from isengard.core.settings import Settings
from isengard.trainers import registry
from isengard.trainers.base import TrainingParameters
from isengard.trainers.registry import validate_config

NAMES = registry.names()
COMMON = set(TrainingParameters.model_fields)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def required(name: str) -> dict[str, Any]:
    """Values for those parameters that have no default."""
    model: type[BaseModel] = registry.load(name).parameters
    wanted = [field for field, spec in model.model_fields.items() if spec.is_required()]
    examples: dict[str, Any] = {"command": ["true"], "base_model": "/models/sd15"}
    return {field: examples[field] for field in wanted}


def test_the_trainers_that_come_with_isengard_are_registered() -> None:
    assert {"mock", "diffusers", "ai-toolkit", "command"} <= set(NAMES)
    assert sorted({point.name for point in entry_points(group=registry.GROUP)}) == NAMES


def test_it_introduces_itself(name: str) -> None:
    trainer = registry.load(name)

    assert trainer.name == name
    assert trainer.title
    assert trainer.description
    assert trainer.capabilities <= {"resume", "sample_now", "save_now"}
    assert isinstance(trainer.availability(Settings()).missing, tuple)


def test_it_takes_the_common_parameters_and_describes_them_as_json_schema(name: str) -> None:
    schema = registry.load(name).parameters.model_json_schema()

    assert set(schema["properties"]) >= COMMON
    assert schema["additionalProperties"] is False
    for parameter, described in schema["properties"].items():
        assert described.get("description"), f"{parameter} is not described"
    json.dumps(schema)


def test_defaults_are_filled_in_and_survive_a_second_check(name: str) -> None:
    trainer = registry.load(name)

    config = validate_config(trainer, required(name))

    assert set(config) == set(trainer.parameters.model_fields)
    assert validate_config(trainer, config) == config
    json.dumps(config, allow_nan=False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("steps", -1),
        ("steps", 1.5),
        ("steps", True),
        ("steps", "many"),
        ("steps", None),
        ("steps", 10**30),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("learning_rate", 0),
        ("batch_size", []),
        ("resolution", 3),
        ("sample_prompts", "not a list"),
        ("seed", -1),
        ("no_such_parameter", 1),
    ],
)
def test_a_wrong_parameter_is_refused_by_its_name(name: str, field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        validate_config(registry.load(name), {**required(name), field: value})

    assert caught.value.field == f"config.{field}"
    assert field in caught.value.detail


def test_looking_at_every_trainer_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from isengard.core.settings import Settings\n"
        "from isengard.trainers import registry\n"
        "cards = registry.available(Settings())\n"
        "assert len(cards) >= 4, cards\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'peft', 'numpy', 'PIL', 'fastapi', 'sqlalchemy'}\n"
        "found = heavy & set(sys.modules)\n"
        "assert not found, found\n"
    )

    subprocess.run([sys.executable, "-c", script], check=True)
