"""Reading, cropping and ordering the training images."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from PIL import Image

from isengard.core.errors import InvalidInput
from isengard.trainers.diffusers.engine.dataset import BatchPlan, Picture, read_dataset


def _picture(shown: tuple[int, int]) -> Picture:
    return Picture(Path("x.png"), "", shown, shown, (0, 0), shown)


def _read(folder: Path, **changes: object) -> list[Picture]:
    return read_dataset(folder, **{"resolution": 64, "grain": 8, "default_caption": "pip", **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "shown"),
    [((64, 64), (64, 64)), ((128, 96), (48, 64)), ((30, 90), (64, 16)), ((16, 16), (64, 64)), ((1000, 5), (8, 64))],
)
def test_the_longer_side_becomes_the_resolution_and_sides_are_multiples_of_the_grain(
    tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    Image.new("RGB", size, "red").save(tmp_path / "a.png")

    (picture,) = _read(tmp_path)
    assert picture.shown == shown
    assert picture.original == (size[1], size[0])
    assert tuple(picture.pixels().shape) == (3, *shown)


def test_pixels_run_from_minus_one_to_one(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (0, 255, 0)).save(tmp_path / "a.png")

    (picture,) = _read(tmp_path)
    assert picture.pixels()[:, 5, 5].tolist() == [-1.0, 1.0, -1.0]


def test_transparency_becomes_white_and_rotation_is_honoured(tmp_path: Path) -> None:
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(tmp_path / "a.png")
    turned = Image.new("RGB", (64, 32), "white")
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "b.jpg", exif=exif)

    clear, upright = _read(tmp_path)
    assert torch.equal(clear.pixels(), torch.ones(3, 64, 64))
    assert upright.shown == (64, 32)


def test_captions_come_from_the_text_file_or_the_trigger_word(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    (tmp_path / "a.txt").write_text("pip, läuft\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text(" \n")

    assert [picture.caption for picture in _read(tmp_path)] == ["pip, läuft", "pip", "pip"]


def test_no_images_and_broken_images_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no images"):
        _read(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with pytest.raises(InvalidInput, match=r"broken\.png cannot be read"):
        _read(tmp_path)


def test_a_resolution_below_the_models_grain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="resolution must be at least 64") as caught:
        _read(tmp_path, resolution=32, grain=64)
    assert caught.value.field == "config.resolution"


def test_an_epoch_shows_every_picture_and_full_batches_of_one_size() -> None:
    pictures = [_picture((8, 8))] * 5 + [_picture((8, 16))] * 2
    plan = BatchPlan(pictures, 3, seed=1)

    assert plan.epoch_length == 3
    for epoch in range(4):
        batches = [plan.batch(epoch * 3 + number) for number in range(3)]
        assert all(len(batch) == 3 for batch in batches)
        assert all(len({pictures[index].shown for index in batch}) == 1 for batch in batches)
        assert set(Counter(index for batch in batches for index in batch)) == set(range(7))


def test_batches_depend_on_seed_and_number_alone() -> None:
    pictures = [_picture((8, 8))] * 9
    forwards, backwards = BatchPlan(pictures, 2, seed=3), BatchPlan(pictures, 2, seed=3)

    numbers = range(15)
    one = [forwards.batch(number) for number in numbers]
    other = [backwards.batch(number) for number in reversed(numbers)]
    assert one == other[::-1]
    assert one != [BatchPlan(pictures, 2, seed=4).batch(number) for number in numbers]


def test_a_batch_larger_than_the_dataset_repeats_pictures() -> None:
    assert Counter(BatchPlan([_picture((8, 8))] * 2, 6, seed=0).batch(0)) == {0: 3, 1: 3}
