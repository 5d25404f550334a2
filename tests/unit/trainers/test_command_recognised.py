"""What `isengard run` reads out of a command by itself."""

from __future__ import annotations

import re

import pytest

from isengard.trainers.command import profile, template
from isengard.trainers.command.recognise import Recognised, recognise


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python train.py --lr 1e-4", Recognised("generic", "train", None, None, None)),
        (
            "accelerate launch --cpu sdxl_train_network.py --output_dir=out --output_name a --max_train_steps 9",
            Recognised("kohya", "sdxl_train_network", "out", "a", 9),
        ),
        (
            "accelerate launch /x/train_dreambooth_lora_flux.py --output-dir out --max_train_steps=1500",
            Recognised("diffusers", "train_dreambooth_lora_flux", "out", None, 1500),
        ),
        ("simpletuner train", Recognised("simpletuner", "simpletuner", None, None, None)),
        ("bash train.sh --steps many --output_dir", Recognised("generic", "train", None, None, None)),
        ("./my-trainer --max_train_steps -3", Recognised("generic", "my-trainer", None, None, None)),
        ("python my_train_network_notes.py", Recognised("generic", "my_train_network_notes", None, None, None)),
    ],
)
def test_profile_name_folder_and_steps_come_from_the_command(command: str, expected: Recognised) -> None:
    assert recognise(command.split()) == expected


def test_a_command_from_a_terminal_is_taken_literally() -> None:
    command = ["python", "-c", 'print({"a": {1}}, "{steps}")', "}{"]
    assert template.fill(template.literal(command), {}) == command


@pytest.mark.parametrize(
    ("path", "step", "index"),
    [
        ("samples/step_000006_00.png", "000006", "00"),
        ("out1/sample/epoch_01_step_000120.png", "000120", None),
        ("samples/12/img_000300_3.png", "000300", "3"),
        ("sample/500.png", "500", None),
    ],
)
def test_the_generic_profile_tells_a_samples_step_from_its_index(path: str, step: str, index: str | None) -> None:
    match = re.fullmatch(profile.load("generic").samples[0].name, path)
    assert match is not None
    assert (match["step"], match["index"]) == (step, index)
