"""Zips from strangers: what is honest is taken, what is not leaves nothing behind and says why."""

from __future__ import annotations

import io
import os
import stat
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isengard.core.paths import DataDir
from isengard.datasets.intake import IncomingFile, Intake, IntakeResult
from isengard.datasets.limits import Limits
from isengard.jobs.models import Character
from isengard.jobs.store import Store
from standins.pictures import encode, noise, zipped

PNG = encode(noise())


def ingest(intake: Intake, character: Character, archive: bytes, name: str = "set.zip") -> IntakeResult:
    return intake.ingest(character.id, [IncomingFile(name, io.BytesIO(archive))])


def reasons(result: IntakeResult) -> dict[str, str]:
    return {rejection.filename: rejection.reason for rejection in result.rejected}


def everything(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_images_and_captions_of_a_zip_are_taken_and_folders_flattened(
    intake: Intake, pip: Character, folder: Path
) -> None:
    result = ingest(
        intake,
        pip,
        zipped(
            {
                "set/": b"",
                "set/a.png": encode(noise(seed=1)),
                "set/a.txt": b"one",
                "other/a.png": encode(noise(seed=2)),
                "other/a.txt": b"two",
                "__MACOSX/set/._a.png": b"junk",
                "set/.DS_Store": b"junk",
                "Thumbs.db": b"junk",
            }
        ),
    )
    assert result.rejected == []
    assert {image.filename: image.caption for image in result.uploaded} == {"a.png": "one", "a-2.png": "two"}
    assert everything(folder) == {"a.png", "a.txt", "a-2.png", "a-2.txt"}


def test_a_zip_is_known_by_its_content_too(intake: Intake, pip: Character) -> None:
    assert len(ingest(intake, pip, zipped({"a.png": PNG}), name="upload").uploaded) == 1


def test_only_one_zip_an_upload(intake: Intake, pip: Character) -> None:
    files = [
        IncomingFile("one.zip", io.BytesIO(zipped({"a.png": encode(noise(seed=1))}))),
        IncomingFile("two.zip", io.BytesIO(zipped({"b.png": encode(noise(seed=2))}))),
        IncomingFile("c.png", io.BytesIO(encode(noise(seed=3)))),
    ]
    result = intake.ingest(pip.id, files)
    assert sorted(image.filename for image in result.uploaded) == ["a.png", "c.png"]
    assert "only one zip" in reasons(result)["two.zip"]


SLIPS = [
    "../evil.png",
    "../../../../../../tmp/evil.png",
    "a/../../evil.png",
    "/tmp/evil.png",
    "..\\evil.png",
    "C:\\evil.png",
    "\\\\host\\share\\evil.png",
    "%2e%2e%2fevil.png",
    "..\uff0fevil.png",
    "evil.png\x00.txt",
    "CON.png",
    "gpj.\u202egnp.png",
    ".ssh/../.evil.png",
]


@pytest.mark.parametrize("name", SLIPS)
def test_an_entry_that_would_leave_the_folder_is_refused_and_the_rest_taken(
    intake: Intake, data: DataDir, pip: Character, tmp_path: Path, name: str
) -> None:
    before = everything(tmp_path)
    archive = zipped([("good.png", encode(noise(seed=1))), ("x" * len(name.encode()), PNG)])
    archive = archive.replace(b"x" * len(name.encode()), name.encode())
    archive = _with_utf8_names(archive)
    result = ingest(intake, pip, archive)
    assert [image.filename for image in result.uploaded] == ["good.png"]
    assert len(result.rejected) == 1
    new = {name for name in everything(tmp_path) - before if "isengard.db" not in name}
    assert new == {f"data/uploads/{pip.id}/good.png"}
    assert data.uploads(pip.id).is_dir()


def _with_utf8_names(archive: bytes) -> bytes:
    """The same archive with the flag that says names are UTF-8 set in every header."""
    out = bytearray(archive)
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = out.find(magic)
        while at >= 0:
            flags = struct.unpack_from("<H", out, at + offset)[0]
            struct.pack_into("<H", out, at + offset, flags | 0x800)
            at = out.find(magic, at + 4)
    return bytes(out)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_devices_are_refused(intake: Intake, pip: Character, folder: Path, kind: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("link.png")
        link.create_system = 3
        link.external_attr = (kind | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("good.png", PNG)
    result = ingest(intake, pip, out.getvalue())
    assert "link" in reasons(result)["link.png"]
    assert everything(folder) == {"good.png"}
    assert not (folder / "good.png").is_symlink()


def test_a_bomb_leaves_nothing_of_its_archive(intake: Intake, pip: Character, folder: Path) -> None:
    """A thousandfold expansion; the good image beside it does not stay either."""
    result = ingest(intake, pip, zipped({"good.png": PNG, "bomb.png": bytes(50 << 20)}))
    assert result.uploaded == []
    assert "ISENGARD_MAX_ZIP_RATIO" in reasons(result)["set.zip"]
    assert everything(folder) == set()


def test_a_bomb_does_not_reach_the_memory(intake: Intake, pip: Character) -> None:
    archive = zipped({"bomb.png": bytes(200 << 20)})
    tracemalloc.start()
    ingest(intake, pip, archive)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20


def test_a_bomb_that_understates_its_size_is_stopped_by_real_bytes(
    intake: Intake, pip: Character, folder: Path
) -> None:
    archive = bytearray(zipped({"bomb.png": bytes(30 << 20)}))
    for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", archive, archive.find(magic) + offset, 100)
    result = ingest(intake, pip, bytes(archive))
    assert result.uploaded == []
    assert result.rejected
    assert everything(folder) == set()


def test_a_bomb_in_many_small_parts_is_stopped_by_their_sum(intake: Intake, pip: Character, folder: Path) -> None:
    parts = {f"{number}.png": os.urandom(1 << 20) for number in range(9)}
    result = ingest(intake, pip, zipped({"good.png": PNG, **parts}))
    assert "ISENGARD_MAX_UPLOAD_MB" in reasons(result)["set.zip"]
    assert everything(folder) == set()


def test_entries_that_share_their_bytes_are_refused(intake: Intake, pip: Character, folder: Path) -> None:
    """As in bombs without nesting: many directory records over one body."""
    archive = zipped({"a.png": PNG})
    start = archive.find(b"PK\x01\x02")
    record = archive[start : archive.find(b"PK\x05\x06")]
    records = b"".join(record.replace(b"a.png", b"%c.png" % letter) for letter in b"abcdefgh")
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 8, 8, len(records), start, 0)
    result = ingest(intake, pip, archive[:start] + records + end)
    assert len(result.uploaded) <= 1
    assert len(result.rejected) >= 7


def test_a_zip_in_a_zip_is_not_opened(intake: Intake, pip: Character, folder: Path) -> None:
    inner = zipped({"a.png": PNG})
    result = ingest(intake, pip, zipped({"inner.zip": inner, "disguised.png": inner}))
    assert "not opened" in reasons(result)["inner.zip"]
    assert "zip archive" in reasons(result)["disguised.png"]
    assert everything(folder) == set()


def test_an_encrypted_entry_is_named(intake: Intake, pip: Character) -> None:
    archive = bytearray(zipped({"a.png": PNG, "b.png": encode(noise(seed=2))}))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", archive, archive.find(magic) + offset, 1)
    result = ingest(intake, pip, bytes(archive))
    assert reasons(result) == {"a.png": "it is encrypted"}
    assert [image.filename for image in result.uploaded] == ["b.png"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_rare_compressions_are_refused_with_advice(intake: Intake, pip: Character, method: int) -> None:
    assert "deflate" in reasons(ingest(intake, pip, zipped({"a.png": PNG}, method)))["a.png"]


def test_a_wrong_checksum_is_named(intake: Intake, pip: Character) -> None:
    archive = bytearray(zipped({"a.png": PNG, "b.png": encode(noise(seed=2))}, zipfile.ZIP_STORED))
    archive[archive.find(PNG) + 300] ^= 0xFF
    result = ingest(intake, pip, bytes(archive))
    assert "checksum" in reasons(result)["a.png"]
    assert [image.filename for image in result.uploaded] == ["b.png"]


def test_a_name_that_occurs_twice_is_taken_once(intake: Intake, pip: Character) -> None:
    archive = zipped([("aa.png", encode(noise(seed=1))), ("bb.png", encode(noise(seed=2)))]).replace(
        b"bb.png", b"aa.png"
    )
    result = ingest(intake, pip, archive)
    assert len(result.uploaded) == 1
    assert "twice" in reasons(result)["aa.png"]


def test_more_entries_than_allowed_are_refused_whole(intake: Intake, pip: Character, folder: Path) -> None:
    result = ingest(intake, pip, zipped({f"{number}.txt": b"" for number in range(60)} | {"a.png": PNG}))
    assert "ISENGARD_MAX_UPLOAD_FILES" in reasons(result)["set.zip"]
    assert everything(folder) == set()


def test_a_directory_of_absurd_size_is_not_read(store: Store, data: DataDir, limits: Limits, pip: Character) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(30_000):
            archive.writestr(zipfile.ZipInfo(f"{number:0100d}.png"), b"")
    out.seek(0)
    packed = IncomingFile("set.zip", out)
    tracemalloc.start()
    result = Intake(store, data, limits).ingest(pip.id, [packed])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "ISENGARD_MAX_UPLOAD_FILES" in reasons(result)["set.zip"]
    assert peak < 4 << 20


@pytest.mark.parametrize(
    "archive",
    [
        b"PK\x03\x04",
        b"PK\x05\x06" + bytes(18),
        b"PK\x03\x04" + bytes(1000),
        b"not a zip at all",
        b"",
        zipped({"a.png": PNG})[:-30],
    ],
    ids=["header", "empty", "zeros", "text", "nothing", "cut"],
)
def test_what_only_looks_like_a_zip_is_refused(intake: Intake, pip: Character, folder: Path, archive: bytes) -> None:
    result = ingest(intake, pip, archive)
    assert result.uploaded == []
    assert everything(folder) == set()
    wrong = "holds no files" if archive == b"PK\x05\x06" + bytes(18) else "damaged"
    assert wrong in reasons(result)["set.zip"]


def test_a_real_zip_program_makes_what_we_read(intake: Intake, pip: Character, tmp_path: Path) -> None:
    source = tmp_path / "source" / "Bär"
    source.mkdir(parents=True)
    (source / "größe.png").write_bytes(PNG)
    (source / "größe.txt").write_text("ein Bär", encoding="utf-8")
    archive = tmp_path / "made.zip"
    subprocess.run([sys.executable, "-m", "zipfile", "-c", str(archive), str(source)], check=True)
    result = ingest(intake, pip, archive.read_bytes())
    assert [(image.filename, image.caption) for image in result.uploaded] == [("größe.png", "ein Bär")]


def test_utf8_names_without_their_flag_are_understood(intake: Intake, pip: Character) -> None:
    name = "größe.png".encode()
    archive = zipped({"x" * len(name): PNG}).replace(b"x" * len(name), name)
    assert [image.filename for image in ingest(intake, pip, archive).uploaded] == ["größe.png"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_to_a_zip_does_harm(intake: Intake, pip: Character, tmp_path: Path, data: st.DataObject) -> None:
    """Bytes overwritten anywhere: only pictures that decode appear, nothing outside the folder, no other error."""
    archive = bytearray(
        zipped({"a.png": encode(noise(seed=1)), "sub/b.jpg": encode(noise(seed=2), "JPEG"), "a.txt": b"pip"})
    )
    for _ in range(data.draw(st.integers(1, 6))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    ingest(intake, pip, bytes(archive))
    allowed = {"data/isengard.db", "data/isengard.db-wal", "data/isengard.db-shm"}
    for name in everything(tmp_path) - allowed:
        assert name.startswith(f"data/uploads/{pip.id}/")
        assert name.endswith((".png", ".jpg", ".webp", ".txt"))


def test_the_limits_come_from_the_settings(data: DataDir) -> None:
    from isengard.core.settings import load

    settings = load(data_dir=data.root, max_image_mb=3, max_zip_ratio=7, max_image_megapixels=2, max_upload_mb=9)
    limits = Limits.of(settings)
    assert (limits.image_bytes, limits.zip_ratio) == (3 << 20, 7)
    assert (limits.image_pixels, limits.upload_bytes) == (2_000_000, 9 << 20)
    assert Limits.of(load(data_dir=data.root)) == replace(Limits())
