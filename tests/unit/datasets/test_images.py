"""A character's images: listing mends what was changed by hand, captions live in their files, names cannot escape."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from isengard.core.errors import InvalidInput, NotFound, StorageError
from isengard.core.paths import DataDir
from isengard.datasets.images import Images
from isengard.datasets.intake import IncomingFile, Intake
from isengard.jobs.models import Character
from isengard.jobs.store import Store
from standins.pictures import encode, exif, noise


@pytest.fixture
def stored(intake: Intake, pip: Character) -> list[str]:
    files = [IncomingFile(f"{name}.png", io.BytesIO(encode(noise(seed=ord(name))))) for name in "ab"]
    return [image.filename for image in intake.ingest(pip.id, files).uploaded]


@pytest.mark.usefixtures("stored")
def test_a_file_put_there_by_hand_is_noticed(images: Images, store: Store, pip: Character, folder: Path) -> None:
    (folder / "hand.jpg").write_bytes(encode(noise((40, 30)), "JPEG", exif=exif(6)))
    (folder / "hand.txt").write_text("by hand")
    listed = images.list(pip.id)
    assert [image.filename for image in listed] == ["a.png", "b.png", "hand.jpg"]
    assert (listed[2].width, listed[2].height, listed[2].caption) == (30, 40, "by hand")
    assert store.get_character(pip.id).image_count == 3


@pytest.mark.usefixtures("stored")
def test_a_file_taken_away_by_hand_is_noticed(images: Images, store: Store, pip: Character, folder: Path) -> None:
    (folder / "a.png").unlink()
    assert [image.filename for image in images.list(pip.id)] == ["b.png"]
    assert store.get_character(pip.id).image_count == 1


@pytest.mark.usefixtures("stored")
def test_what_is_no_image_is_not_listed(images: Images, pip: Character, folder: Path, tmp_path: Path) -> None:
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n rubbish")
    (folder / "page.html").write_text("<html>")
    (folder / "bad\nname.png").write_bytes(encode(noise(seed=9)))
    (folder / ".hidden.png").write_bytes(encode(noise(seed=8)))
    outside = tmp_path / "outside.png"
    outside.write_bytes(encode(noise(seed=7)))
    (folder / "link.png").symlink_to(outside)
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    for _ in range(2):
        assert [image.filename for image in images.list(pip.id)] == ["a.png", "b.png"]
    with pytest.raises(NotFound):
        images.path(pip.id, "link.png")


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    "name",
    [
        "../a.png",
        "..",
        ".",
        "",
        "a.png/",
        "/etc/passwd",
        "..\\a.png",
        "a.png\x00",
        "%2e%2e/a.png",
        "a.txt",
        ".a.png",
        "A" * 500,
    ],
)
def test_a_name_that_is_none_of_the_images_is_not_found(
    images: Images, pip: Character, folder: Path, name: str
) -> None:
    (folder / "a.txt").write_text("caption")
    (folder.parent / "a.png").write_bytes(b"outside")
    for ask in (
        lambda: images.path(pip.id, name),
        lambda: images.get(pip.id, name),
        lambda: images.delete(pip.id, name),
        lambda: images.set_caption(pip.id, name, "x"),
    ):
        with pytest.raises(NotFound):
            ask()
    assert (folder.parent / "a.png").read_bytes() == b"outside"
    assert (folder / "a.txt").read_text() == "caption"


@pytest.mark.usefixtures("stored")
def test_deleting_takes_the_caption_along(images: Images, store: Store, pip: Character, folder: Path) -> None:
    images.set_caption(pip.id, "a.png", "pipbot")
    images.delete(pip.id, "a.png")
    assert sorted(os.listdir(folder)) == ["b.png"]
    assert [image.filename for image in store.list_images(pip.id)] == ["b.png"]
    with pytest.raises(NotFound):
        images.delete(pip.id, "a.png")


@pytest.mark.usefixtures("stored")
def test_a_caption_is_written_read_and_taken_away(images: Images, pip: Character, folder: Path) -> None:
    assert images.set_caption(pip.id, "a.png", "  Zoe\u0308 waves\r\nat us  ").caption == "Zoë waves\nat us"
    assert (folder / "a.txt").read_bytes() == "Zoë waves\nat us".encode()
    assert images.get(pip.id, "a.png").caption == "Zoë waves\nat us"
    assert images.set_caption(pip.id, "a.png", "  ").caption is None
    assert not (folder / "a.txt").exists()
    assert sorted(os.listdir(folder)) == ["a.png", "b.png"]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("text", ["x" * 501, "a\x00b", "a\x1b]0;title\x07", "a\u202eb", "a\ud800b"])
def test_a_bad_caption_leaves_the_old_one(images: Images, pip: Character, text: str) -> None:
    images.set_caption(pip.id, "a.png", "old")
    with pytest.raises(InvalidInput) as refused:
        images.set_caption(pip.id, "a.png", text)
    assert refused.value.field == "caption"
    assert images.get(pip.id, "a.png").caption == "old"


@pytest.mark.usefixtures("stored")
def test_a_caption_that_is_a_link_is_not_followed(images: Images, pip: Character, folder: Path, tmp_path: Path) -> None:
    private = tmp_path / "private.txt"
    private.write_text("private")
    (folder / "a.txt").symlink_to(private)
    assert images.get(pip.id, "a.png").caption is None
    images.set_caption(pip.id, "a.png", "mine")
    assert private.read_text() == "private"
    assert images.get(pip.id, "a.png").caption == "mine"


@pytest.mark.usefixtures("stored")
def test_a_disk_that_refuses_a_caption_is_named(images: Images, pip: Character, folder: Path) -> None:
    (folder / "a.txt").mkdir()
    with pytest.raises(StorageError, match="caption could not be stored"):
        images.set_caption(pip.id, "a.png", "x")
    assert sorted(os.listdir(folder)) == ["a.png", "a.txt", "b.png"]


def test_a_folder_that_was_removed_counts_as_empty(images: Images, data: DataDir, pip: Character) -> None:
    data.uploads(pip.id).rmdir()
    assert images.list(pip.id) == []
