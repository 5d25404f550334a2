"""A LoRA is published whole or not at all."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from isengard.core.errors import TrainingFailed
from isengard.execution import export


def lora(path: Path, data: bytes = b"\0" * 8, declared: int = 8) -> Path:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, declared]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


def test_a_whole_lora_is_published_and_the_trainers_own_file_stays(tmp_path: Path) -> None:
    source, target = lora(tmp_path / "out.safetensors"), tmp_path / "loras" / "char-a" / "pip.safetensors"

    assert export.check(source) == 1
    export.publish(source, target)

    assert target.read_bytes() == source.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["pip.safetensors"]


def test_publishing_again_replaces_the_file(tmp_path: Path) -> None:
    target = tmp_path / "pip.safetensors"
    target.write_bytes(b"old")

    export.publish(lora(tmp_path / "out.safetensors"), target)

    assert export.check(target) == 1


@pytest.mark.parametrize(
    ("make", "error_type"),
    [
        (lambda path: path, "NoOutput"),
        (lambda path: lora(path, data=b"\0" * 7), "DamagedOutput"),
        (lambda path: path.write_bytes(b"<html>not found</html>"), "DamagedOutput"),
        (lambda path: path.write_bytes(b""), "DamagedOutput"),
        (lambda path: path.write_bytes(struct.pack("<Q", 2) + b"{}"), "DamagedOutput"),
        (lambda path: path.mkdir(), "DamagedOutput"),
    ],
)
def test_what_is_no_lora_is_a_failure_that_says_so(tmp_path: Path, make: object, error_type: str) -> None:
    path = tmp_path / "out.safetensors"
    make(path)  # type: ignore[operator]

    with pytest.raises(TrainingFailed) as caught:
        export.check(path)

    assert caught.value.error_type == error_type


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "loras").write_bytes(b"a file where the folder should be")

    with pytest.raises(TrainingFailed, match="loras"):
        export.publish(lora(tmp_path / "out.safetensors"), tmp_path / "loras" / "pip.safetensors")
