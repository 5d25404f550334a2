"""The trainer as the API sees it: parameters, availability, and that none of it needs torch."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from isengard.core.errors import InvalidInput
from isengard.core.settings import Settings
from isengard.trainers.diffusers import demo
from isengard.trainers.diffusers.parameters import DiffusersParameters
from isengard.trainers.diffusers.trainer import PACKAGES, DiffusersTrainer
from isengard.trainers.parameters import validate_config


def test_every_parameter_tells_what_it_is_and_where_it_belongs() -> None:
    schema = DiffusersParameters.model_json_schema()
    for name, spec in schema["properties"].items():
        assert spec.get("description"), name
        assert name == "seed" or spec.get("group"), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("learning_rate", float("nan")),
        ("lora_alpha", 0),
        ("lora_dropout", 1.0),
        ("caption_dropout", 1.1),
        ("optimizer", "sgd"),
        ("lr_scheduler", "random"),
        ("target_modules", "everything"),
        ("precision", "fp8"),
        ("variant", "../fp16"),
        ("sample_steps", 0),
        ("snr_gamma", -1),
    ],
)
def test_values_out_of_range_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        validate_config(DiffusersTrainer(), {name: value})
    assert caught.value.field == f"config.{name}"


def test_alpha_is_the_rank_unless_given() -> None:
    assert DiffusersParameters(lora_rank=8).alpha == 8
    assert DiffusersParameters(lora_rank=8, lora_alpha=4).alpha == 4


def test_the_demos_configuration_is_valid() -> None:
    assert validate_config(DiffusersTrainer(), demo.CONFIG)["base_model"] == "demo"


def test_missing_packages_are_named_with_the_command_that_brings_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("torch", "peft") else real(name))

    availability = DiffusersTrainer().availability(Settings(data_dir=tmp_path))
    assert availability.missing == ("missing torch, peft: run pip install 'isengard[train]'",)


def test_neither_parameters_nor_availability_import_what_is_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from isengard.trainers.diffusers.trainer import DiffusersTrainer, PACKAGES;"
        "from isengard.core.settings import Settings; from pathlib import Path;"
        "trainer = DiffusersTrainer(); trainer.parameters.model_json_schema();"
        "trainer.availability(Settings(data_dir=Path(sys.argv[1])));"
        "print([name for name in PACKAGES if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_all_packages_are_those_of_the_extra() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    extra = {line.split(">=")[0] for line in project["optional-dependencies"]["train"]}
    assert extra == set(PACKAGES)
