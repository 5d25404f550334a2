"""Parameters as they are typed in a shell."""

from __future__ import annotations

from typing import Any

import pytest

from isengard.cli.parameters import typed
from isengard.core.errors import InvalidInput


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("caption_template={trigger_word}", "{trigger_word}"),
        ("caption_template=a: {name}", "a: {name}"),
        ("caption_template=no", "no"),
        ("caption_template=1e-4", "1e-4"),
        ("caption_template=", ""),
        ("fail_mode=none", "none"),
        ("steps=500", 500),
        ("learning_rate=1e-4", 1e-4),
        ("retries=null", None),
        ("retries=2", 2),
        ("sample_prompts=[a fox, 5, no]", ["a fox", "5", "no"]),
        ('sample_prompts=["a, b"]', ["a, b"]),
        ("unheard_of=5", 5),
    ],
)
def test_a_value_is_read_as_what_its_parameter_takes(item: str, value: Any) -> None:
    [(_, read)] = typed([item], "mock").items()
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("command=[python, train.py, --steps, 5]", ["python", "train.py", "--steps", "5"]),
        ("cwd=~", None),
        ("cwd=~/sd-scripts", "~/sd-scripts"),
        ("output_name=2026", "2026"),
        ("expect_lora=no", False),
        ("env={CUDA_VISIBLE_DEVICES: 0}", {"CUDA_VISIBLE_DEVICES": "0"}),
    ],
)
def test_a_command_is_made_of_texts(item: str, value: Any) -> None:
    assert list(typed([item], "command").values()) == [value]


def test_a_trainer_that_there_is_not_is_told_later() -> None:
    assert typed(["steps=5", "name=x"], "difusers") == {"steps": 5, "name": "x"}


@pytest.mark.parametrize("item", ["steps", "=5", ""])
def test_what_is_no_pair_is_refused(item: str) -> None:
    with pytest.raises(InvalidInput, match="KEY=VALUE"):
        typed([item], "mock")
