"""The training's own copy of a dataset: what comes in, what comes out, and what is said about it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from isengard.core.errors import InvalidInput, StorageError
from isengard.datasets.checks import Severity, check_dataset, holds_word
from isengard.datasets.limits import Limits
from isengard.datasets.prepare import DatasetReport, PrepareProgress, Subject, bucket, prepare
from standins.pictures import encode, exif, noise, scene, srgb_profile
from standins.small_disk import small_disk

PIP = Subject("Pip the robot", "pipbot")
LIMITS = Limits()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads"
    folder.mkdir()
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "job" / "dataset"


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def run(source: Path, target: Path, resolution: int = 64, **options: object) -> DatasetReport:
    return prepare(PIP, source, target, resolution, LIMITS, **options)  # type: ignore[arg-type]


def put(folder: Path, name: str, image: Image.Image, **options: object) -> None:
    kind = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}[Path(name).suffix]
    (folder / name).write_bytes(encode(image, kind, **options))


def alike(one: Image.Image, other: Image.Image) -> bool:
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean) < 6


def test_images_come_out_as_rgb_png_no_larger_than_needed_with_captions(source: Path, target: Path) -> None:
    put(source, "large.jpg", scene((400, 200), 1), quality=95)
    put(source, "small.webp", scene((40, 50), 2), lossless=True)
    put(source, "grey.png", scene((64, 64), 3).convert("L"))
    (source / "large.txt").write_text("pipbot on a hill")
    report = run(source, target)
    sizes = {path.name: opened(path).size for path in sorted(target.glob("*.png"))}
    assert sizes == {"grey.png": (64, 64), "large.png": (128, 64), "small.png": (40, 50)}
    assert {opened(path).mode for path in target.glob("*.png")} == {"RGB"}
    assert {path.name: path.read_text() for path in target.glob("*.txt")} == {
        "grey.txt": "pipbot",
        "large.txt": "pipbot on a hill",
        "small.txt": "pipbot",
    }
    assert (report.images, report.resized, report.captions_from_files, report.captions_from_template) == (3, 1, 1, 2)
    assert alike(opened(target / "large.png"), scene((400, 200), 1).resize((128, 64)))
    assert sorted(os.listdir(target.parent)) == ["dataset"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(source: Path, target: Path, orientation: int) -> None:
    upright = scene((96, 64))
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    held = upright.transpose(turns[orientation]) if orientation in turns else upright
    put(source, "a.jpg", held, exif=exif(orientation), quality=95)
    run(source, target)
    out = opened(target / "a.png")
    assert out.size == (96, 64)
    assert alike(out, upright)


def test_transparent_parts_become_white_and_deep_colour_is_scaled(source: Path, target: Path) -> None:
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    put(source, "clear.png", clear)
    palette = Image.new("P", (64, 64), 0)
    palette.putpalette([0, 0, 255])
    put(source, "palette.png", palette, transparency=0)
    put(source, "deep.png", Image.new("I;16", (64, 64), 0x8000))
    run(source, target)
    # The first two come out the same, so only one of them is there.
    assert opened(target / "clear.png").getpixel((5, 5)) == (255, 255, 255)
    assert not (target / "palette.png").exists()
    assert opened(target / "deep.png").getpixel((5, 5)) == (128, 128, 128)


def test_colours_are_converted_by_the_pictures_own_profile(source: Path, target: Path) -> None:
    put(source, "a.jpg", scene((64, 64)).convert("CMYK"), quality=95)
    put(source, "b.png", scene((64, 64), 1), icc_profile=srgb_profile())
    put(source, "c.png", scene((64, 64), 2), icc_profile=b"\x00" * 36 + b"acsp" + b"broken" * 20)
    run(source, target)
    assert alike(opened(target / "b.png"), scene((64, 64), 1))
    assert alike(opened(target / "c.png"), scene((64, 64), 2))


def test_equal_pictures_are_used_once_whatever_file_they_are_in(source: Path, target: Path) -> None:
    put(source, "a.png", noise())
    put(source, "b.webp", noise(), lossless=True)
    put(source, "c.png", noise(seed=2))
    report = run(source, target)
    assert report.duplicates == [("b.webp", "a.png")]
    assert sorted(path.name for path in target.glob("*.png")) == ["a.png", "c.png"]


def test_images_with_one_stem_do_not_overwrite_each_other(source: Path, target: Path) -> None:
    put(source, "a.png", noise(seed=1))
    put(source, "a.jpg", noise(seed=2))
    put(source, "A.webp", noise(seed=3))
    assert run(source, target).images == 3
    assert len(list(target.glob("*.png"))) == 3
    assert len(list(target.glob("*.txt"))) == 3


def test_a_bad_image_is_named_and_the_others_are_used(source: Path, target: Path) -> None:
    put(source, "good.png", noise())
    (source / "bad.jpg").write_bytes(encode(scene(), "JPEG")[:-200])
    seen: list[PrepareProgress] = []
    report = run(source, target, report=seen.append)
    assert [name for name, _ in report.unusable] == ["bad.jpg"]
    assert [(each.done, each.total, each.filename, each.problem is None) for each in seen] == [
        (1, 2, "bad.jpg", False),
        (2, 2, "good.png", True),
    ]
    assert [finding.filenames for finding in report.findings if finding.code == "corrupt_image"] == [("bad.jpg",)]
    assert json.loads(json.dumps(report.to_dict()))["unusable"][0][0] == "bad.jpg"


def test_when_nothing_can_be_used_the_first_fault_is_said_and_nothing_is_left(source: Path, target: Path) -> None:
    with pytest.raises(InvalidInput, match="no images"):
        run(source, target)
    (source / "bad.png").write_bytes(b"<html>")
    with pytest.raises(InvalidInput, match=r"bad\.png.*HTML"):
        run(source, target)
    assert not target.exists()
    assert list(target.parent.iterdir()) == []


def test_captions_get_the_trigger_word_and_the_template_is_filled_in(source: Path, target: Path) -> None:
    for number, name in enumerate(("with", "without", "inside", "none")):
        put(source, f"{name}.png", noise(seed=number))
    (source / "with.txt").write_text("a photo of PIPBOT, smiling")
    (source / "without.txt").write_text("a robot")
    (source / "inside.txt").write_text("pipbots everywhere")
    report = run(source, target, template="a drawing of {trigger_word} ({name}) {other}")
    assert (target / "with.txt").read_text() == "a photo of PIPBOT, smiling"
    assert (target / "without.txt").read_text() == "pipbot, a robot"
    assert (target / "inside.txt").read_text() == "pipbot, pipbots everywhere"
    assert (target / "none.txt").read_text() == "a drawing of pipbot (Pip the robot) {other}"
    assert report.captions_completed == 2


def test_preparing_again_replaces_what_was_there(source: Path, target: Path) -> None:
    put(source, "a.png", noise(seed=1))
    run(source, target)
    (source / "a.png").unlink()
    put(source, "b.png", noise(seed=2))
    (target.with_name(".dataset.making")).mkdir()  # as a killed runner leaves it
    run(source, target)
    assert sorted(os.listdir(target)) == ["b.png", "b.txt"]
    assert os.listdir(target.parent) == ["dataset"]


def test_a_cancelled_preparation_leaves_the_old_copy(source: Path, target: Path) -> None:
    put(source, "a.png", noise(seed=1))
    run(source, target)
    put(source, "b.png", noise(seed=2))

    class Cancelled(Exception):
        pass

    def cancel(progress: PrepareProgress) -> None:
        if progress.done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        run(source, target, report=cancel)
    assert sorted(os.listdir(target)) == ["a.png", "a.txt"]
    assert os.listdir(target.parent) == ["dataset"]


def test_a_disk_that_refuses_is_named_and_not_blamed_on_the_image(source: Path, target: Path) -> None:
    put(source, "a.png", noise())
    target.parent.write_text("a file is in the way")
    with pytest.raises(StorageError, match="could not be prepared"):
        run(source, target)


def test_a_full_disk_in_the_middle_is_not_blamed_on_the_image(source: Path, tmp_path: Path) -> None:
    for number in range(8):
        put(source, f"{number}.png", noise((64, 64), number))
    with small_disk(tmp_path / "small", kibibytes=64) as place:
        with pytest.raises(StorageError, match="No space left"):
            run(source, place / "dataset")
        assert os.listdir(place) == []


def test_the_uploads_are_only_read(source: Path, target: Path) -> None:
    put(source, "a.jpg", scene(), exif=exif(6))
    (source / "a.txt").write_text("x")
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in source.iterdir()}
    run(source, target)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in source.iterdir()} == before


@pytest.mark.parametrize(
    ("width", "height", "resolution", "name"),
    [
        (512, 512, 512, "512x512"),
        (1000, 500, 512, "704x384"),
        (500, 1000, 512, "384x704"),
        (9, 9, 32, "32x32"),
        (2000, 10, 512, "7232x64"),
    ],
)
def test_a_bucket_keeps_the_shape_at_the_resolutions_area(width: int, height: int, resolution: int, name: str) -> None:
    assert bucket(width, height, resolution) == name


def codes(source: Path, **options: object) -> dict[str, tuple[Severity, tuple[str, ...]]]:
    found = check_dataset(source, LIMITS, **options)  # type: ignore[arg-type]
    return {finding.code: (finding.severity, finding.filenames) for finding in found}


def test_a_good_dataset_has_no_findings(source: Path) -> None:
    for number in range(8):
        put(source, f"{number}.png", scene((128, 96), number))
        (source / f"{number}.txt").write_text("pipbot, waving")
    assert codes(source, trigger_word="pipbot", resolution=64) == {}


def test_an_empty_or_missing_folder_is_an_error(source: Path, tmp_path: Path) -> None:
    assert codes(source) == {"no_images": (Severity.ERROR, ())}
    assert codes(tmp_path / "nosuch") == {"no_images": (Severity.ERROR, ())}


def test_everything_worth_knowing_is_found_once_with_its_images(source: Path) -> None:
    put(source, "a.png", scene((200, 150), 1))
    shutil.copy(source / "a.png", source / "copy.png")
    put(source, "b.jpg", scene((200, 150), 1), quality=60)
    put(source, "small.png", scene((40, 40), 2))
    put(source, "long.png", scene((400, 100), 3))
    put(source, "grey.png", scene((100, 100), 4).convert("L"))
    clear = scene((100, 100), 5).convert("RGBA")
    clear.putalpha(100)
    put(source, "clear.png", clear)
    (source / "bad.png").write_bytes(encode(scene())[:200])
    (source / "a.txt").write_text("pipbot")
    (source / "b.txt").write_text("a robot")
    (source / "small.txt").write_bytes(b"\xff\xff")
    (source / "stray.txt").write_text("x")
    assert codes(source, trigger_word="pipbot", resolution=64) == {
        "corrupt_image": (Severity.ERROR, ("bad.png",)),
        "small_images": (Severity.WARNING, ("small.png",)),
        "extreme_aspect": (Severity.WARNING, ("long.png",)),
        "duplicates": (Severity.WARNING, ("copy.png",)),
        "near_duplicates": (Severity.INFO, ("a.png", "b.jpg")),
        "unusable_caption": (Severity.WARNING, ("small.png",)),
        "missing_captions": (Severity.WARNING, ("clear.png", "copy.png", "grey.png", "long.png")),
        "caption_without_trigger": (Severity.WARNING, ("b.jpg",)),
        "greyscale": (Severity.WARNING, ("grey.png",)),
        "transparent": (Severity.INFO, ("clear.png",)),
        "stray_captions": (Severity.WARNING, ("stray.txt",)),
    }


def test_few_images_are_worth_a_warning(source: Path) -> None:
    put(source, "a.png", scene((200, 150), 1))
    assert codes(source)["few_images"] == (Severity.WARNING, ())


def test_the_gravest_finding_comes_first(source: Path) -> None:
    put(source, "a.png", scene((200, 150), 1).convert("L"))
    (source / "bad.png").write_bytes(b"x")
    severities = [finding.severity for finding in check_dataset(source, LIMITS)]
    assert severities == sorted(severities, key=list(Severity).index)
    assert severities[0] is Severity.ERROR


def test_unlike_pictures_are_not_called_alike(source: Path) -> None:
    for number in range(60):
        put(source, f"{number:02}.png", scene((96, 64), number))
    for shade, name in ((0, "black"), (128, "mid"), (255, "white")):
        put(source, f"{name}.png", Image.new("RGB", (96, 64), (shade, shade // 2, 0)))
    assert "near_duplicates" not in codes(source)


@pytest.mark.parametrize("change", ["quality", "size", "brightness"])
def test_a_picture_saved_again_is_called_alike(source: Path, change: str) -> None:
    original = scene((300, 200), 7)
    put(source, "a.png", original)
    if change == "quality":
        put(source, "b.jpg", original, quality=30)
    elif change == "size":
        put(source, "b.png", original.resize((180, 120)))
    else:
        put(source, "b.png", original.point(lambda value: min(255, value + 6)))
    assert codes(source)["near_duplicates"][1] == ("a.png",) + (("b.jpg",) if change == "quality" else ("b.png",))


@pytest.mark.parametrize(
    ("caption", "found"),
    [
        ("pipbot", True),
        ("A Pipbot!", True),
        ("(pipbot:1.2)", True),
        ("pipbots", False),
        ("my_pipbot", False),
        ("", False),
    ],
)
def test_the_trigger_word_is_looked_for_as_a_word(caption: str, found: bool) -> None:
    assert holds_word(caption, "pipbot") is found
