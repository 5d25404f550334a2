"""What becomes of an upload: images, captions beside them, and of everything that is neither."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import pytest
from PIL import Image

from isengard.core.errors import InvalidInput, NotFound, StorageError, TooLarge
from isengard.core.paths import DataDir
from isengard.datasets.folder import UploadFolder
from isengard.datasets.images import Images
from isengard.datasets.intake import IncomingFile, Intake, IntakeResult
from isengard.datasets.limits import Limits
from isengard.jobs.models import Character
from isengard.jobs.models import Image as StoredImage
from isengard.jobs.store import Store
from standins.pictures import encode, noise
from standins.small_disk import small_disk


def incoming(*files: tuple[str, bytes]) -> list[IncomingFile]:
    return [IncomingFile(name, io.BytesIO(data)) for name, data in files]


def reasons(result: IntakeResult) -> dict[str, str]:
    return {rejection.filename: rejection.reason for rejection in result.rejected}


def visible(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_images_are_taken_with_the_captions_beside_them(
    intake: Intake, images: Images, pip: Character, folder: Path
) -> None:
    result = intake.ingest(
        pip.id,
        incoming(
            ("b.txt", b"\xef\xbb\xbfpipbot waving\r\n"),
            ("a.png", encode(noise(seed=1))),
            ("b.jpg", encode(noise(seed=2), "JPEG")),
            ("c.webp", encode(noise(seed=3), "WEBP")),
        ),
    )
    assert result.rejected == []
    assert result.total_images == 3
    assert [(image.filename, image.caption) for image in result.uploaded] == [
        ("a.png", None),
        ("b.jpg", "pipbot waving"),
        ("c.webp", None),
    ]
    assert visible(folder) == ["a.png", "b.jpg", "b.txt", "c.webp"]
    assert images.list(pip.id) == result.uploaded
    assert (folder / "a.png").stat().st_size == result.uploaded[0].size_bytes


def test_each_file_that_is_not_taken_has_its_reason(intake: Intake, pip: Character, folder: Path) -> None:
    good = encode(noise())
    result = intake.ingest(
        pip.id,
        incoming(
            ("ok.png", good),
            ("page.png", b"<html></html>"),
            ("notes.txt", b"about nothing"),
            ("../up.png", good),
            ("cut.png", good[:100]),
            ("big.png", bytes(2 << 20)),
            ("again.png", good),
        ),
    )
    assert [image.filename for image in result.uploaded] == ["ok.png"]
    told = reasons(result)
    assert "HTML" in told["page.png"]
    assert "no image" in told["notes.txt"]
    assert "out of its folder" in told["../up.png"]
    assert "damaged" in told["cut.png"]
    assert "ISENGARD_MAX_IMAGE_MB" in told["big.png"]
    assert told["again.png"] == "it is a duplicate: the same image is there as ok.png"
    assert visible(folder) == ["ok.png"]


def test_the_ending_follows_the_content(intake: Intake, pip: Character, folder: Path) -> None:
    intake.ingest(
        pip.id,
        incoming(
            ("photo.png", encode(noise(seed=1), "JPEG")),
            ("x.html", encode(noise(seed=2))),
            ("y", encode(noise(seed=3))),
        ),
    )
    assert visible(folder) == ["photo.jpg", "x.png", "y.png"]


def test_names_that_collide_get_a_number_and_keep_their_own_caption(
    intake: Intake, images: Images, pip: Character, folder: Path
) -> None:
    for number, name in enumerate(("pip.png", "PIP.png", "pip.jpg")):
        stem = name.partition(".")[0]
        kind = "JPEG" if name.endswith("jpg") else "PNG"
        intake.ingest(
            pip.id, incoming((name, encode(noise(seed=number), kind)), (f"{stem}.txt", f"caption {number}".encode()))
        )
    captions = {image.filename: image.caption for image in images.list(pip.id)}
    assert captions == {"pip.png": "caption 0", "PIP-2.png": "caption 1", "pip-3.jpg": "caption 2"}
    assert len(visible(folder)) == 6


def test_the_same_picture_with_other_metadata_is_a_duplicate(intake: Intake, pip: Character) -> None:
    intake.ingest(pip.id, incoming(("a.png", encode(noise()))))
    again = intake.ingest(pip.id, incoming(("b.png", encode(noise(), xmp=b"<x>other</x>") + b"tail")))
    assert "duplicate" in reasons(again)["b.png"]
    assert again.total_images == 1


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        (b"\xff\xfe\x00\xd8", "UTF-8"),
        (b"\xc3\x28", "UTF-8"),
        (b"a\x00b", r"U\+0000"),
        (b"a\x1b[31mred", r"U\+001B"),
        ("a\u202eb".encode(), r"U\+202E"),
        (b"x" * 501, "ISENGARD_MAX_CAPTION_CHARS"),
        (b"x" * 5000, "ISENGARD_MAX_CAPTION_CHARS"),
    ],
)
def test_a_caption_that_is_not_plain_text_is_refused_and_its_image_taken(
    intake: Intake, pip: Character, caption: bytes, words: str
) -> None:
    result = intake.ingest(pip.id, incoming(("a.png", encode(noise())), ("a.txt", caption)))
    assert [image.caption for image in result.uploaded] == [None]
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(reasons(result)["a.txt"])


def test_a_caption_from_notepad_is_read(intake: Intake, pip: Character) -> None:
    result = intake.ingest(pip.id, incoming(("a.png", encode(noise())), ("a.txt", "Bär \U0001f43b".encode("utf-16"))))
    assert result.uploaded[0].caption == "Bär \U0001f43b"


def test_an_upload_needs_a_character_and_files(intake: Intake, pip: Character) -> None:
    with pytest.raises(InvalidInput, match="no files"):
        intake.ingest(pip.id, [])
    with pytest.raises(NotFound):
        intake.ingest("char-nosuch", incoming(("a.png", b"x")))
    with pytest.raises(NotFound):
        intake.ingest("../../etc", incoming(("a.png", b"x")))


def test_too_many_files_or_bytes_are_refused_whole(intake: Intake, pip: Character, folder: Path) -> None:
    with pytest.raises(TooLarge, match="ISENGARD_MAX_UPLOAD_FILES"):
        intake.ingest(pip.id, incoming(*((f"{number}.png", b"x") for number in range(61))))
    megabyte = bytes(1 << 20)
    with pytest.raises(TooLarge, match="ISENGARD_MAX_UPLOAD_MB"):
        intake.ingest(
            pip.id, incoming(("a.png", encode(noise())), *((f"{number}.png", megabyte) for number in range(9)))
        )
    assert visible(folder) == []


def test_a_full_character_takes_no_more(store: Store, data: DataDir, limits: Limits, pip: Character) -> None:
    small = Intake(store, data, replace(limits, images_per_character=2))
    result = small.ingest(pip.id, incoming(*((f"{number}.png", encode(noise(seed=number))) for number in range(3))))
    assert len(result.uploaded) == 2
    assert "ISENGARD_MAX_IMAGES_PER_CHARACTER" in reasons(result)["2.png"]


def test_uploads_at_the_same_time_lose_nothing(intake: Intake, images: Images, pip: Character, folder: Path) -> None:
    def upload(number: int) -> IntakeResult:
        return intake.ingest(
            pip.id,
            incoming(
                ("same.png", encode(noise(seed=number))),
                ("twin.png", encode(noise(seed=99))),
                ("same.txt", b"c%d" % number),
            ),
        )

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(upload, range(6)))
    assert sum(len(result.uploaded) for result in results) == 7
    assert sum(len(result.rejected) for result in results) == 5
    listed = images.list(pip.id)
    assert len(listed) == 7
    for image in listed:
        if image.caption:
            seed = int(image.caption[1:])
            with Image.open(folder / image.filename) as stored:
                assert stored.tobytes() == noise(seed=seed).tobytes()


class _RefusingStore(Store):
    """A store whose database refuses images, as a full disk makes it."""

    def add_images(self, added: object) -> set[str]:
        raise StorageError("the disk is full; the database could not be written")


def test_when_the_database_refuses_no_file_stays(
    data: DataDir, limits: Limits, store: Store, pip: Character, folder: Path
) -> None:
    refusing = _RefusingStore(f"sqlite:///{data.database}")
    with pytest.raises(StorageError, match="disk is full"):
        Intake(refusing, data, limits).ingest(pip.id, incoming(("a.png", encode(noise())), ("a.txt", b"x")))
    refusing.close()
    assert visible(folder) == []
    assert store.list_images(pip.id) == []


def test_a_full_disk_is_named_and_leaves_nothing(store: Store, limits: Limits, pip: Character, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", kibibytes=64) as place:
        data = DataDir(place)
        files = [(f"{number}.png", encode(noise((64, 64), number))) for number in range(8)]
        with pytest.raises(StorageError, match="No space left"):
            Intake(store, data, limits).ingest(pip.id, incoming(*files))
        assert os.listdir(data.uploads(pip.id)) == []
    assert store.list_images(pip.id) == []


def test_a_process_killed_between_file_and_row_leaves_a_whole_image(
    data: DataDir, intake: Intake, images: Images, pip: Character, folder: Path
) -> None:
    script = textwrap.dedent(f"""
        import io, os, signal
        from pathlib import Path
        from isengard.core.paths import DataDir
        from isengard.datasets.intake import IncomingFile, Intake
        from isengard.datasets.limits import Limits
        from isengard.jobs.store import Store
        from standins.pictures import encode, noise
        class Dying(Store):
            def add_images(self, added):
                os.kill(os.getpid(), signal.SIGKILL)
        data = DataDir(Path({str(data.root)!r}))
        files = [IncomingFile("a.png", io.BytesIO(encode(noise()))), IncomingFile("a.txt", io.BytesIO(b"pipbot"))]
        Intake(Dying(f"sqlite:///{{data.database}}"), data, Limits()).ingest({pip.id!r}, files)
    """)
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [(image.filename, image.caption) for image in images.list(pip.id)] == [("a.png", "pipbot")]
    assert len(visible(folder)) == 3  # its staging folder is still there
    with UploadFolder(data, pip.id).staging() as in_use:
        intake.ingest(pip.id, incoming(("b.png", encode(noise(seed=2)))))
        assert visible(folder) == [in_use.name, "a.png", "a.txt", "b.png"]


def test_what_was_uploaded_is_what_the_row_says(intake: Intake, store: Store, pip: Character) -> None:
    uploaded = intake.ingest(pip.id, incoming(("a.png", encode(noise((40, 30)))))).uploaded[0]
    row: StoredImage = store.get_image(pip.id, "a.png")
    assert row == replace(uploaded, caption=None)
    assert (row.width, row.height) == (40, 30)


def test_a_name_too_long_to_be_looked_at_is_refused_and_shown_without_its_secret(
    intake: Intake, pip: Character
) -> None:
    secret = token_hex(20)
    result = intake.ingest(pip.id, incoming((f"hf_{secret}_{'x' * 2000}.png", encode(noise()))))
    [rejection] = result.rejected
    assert rejection.reason == "the file name is too long"
    assert secret not in rejection.filename
