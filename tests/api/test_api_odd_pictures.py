"""Pictures of every odd kind, uploaded one by one, in a zip, and from a folder: a good still picture or a reason."""

from __future__ import annotations

import io
import json
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

from standins.api_server import PATIENCE_S, ApiServer, api_server
from standins.pictures import (
    ORIENTATION,
    animation,
    encode,
    exif,
    jpeg_with,
    noise,
    png_chunk,
    png_claiming,
    png_with,
    scans,
    srgb_profile,
    webp_with,
    zipped,
)

MIB = 1 << 20


class Case(NamedTuple):
    """A file and what is to become of it: the words of its refusal, or the picture that it shows.

    Attributes:
        same: What has to be seen; None for a picture that only has to be one.
    """

    data: Callable[[], bytes]
    refused: str = ""
    same: Callable[[], Image.Image] | None = None


def _frames(kind: str, count: int) -> bytes:
    rest = [noise(seed=number) for number in range(1, count)]
    return encode(noise(), kind, save_all=True, append_images=rest)


def _jpeg_claiming(width: int, height: int) -> bytes:
    data = bytearray(encode(noise(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def _webp_claiming(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp_with(b"VP8X" + struct.pack("<I", 10) + bytes(4) + size)


def _profile_bomb() -> bytes:
    return png_chunk(b"iCCP", b"bomb\x00\x00" + zlib.compress(bytes(36) + b"acsp" + bytes(200 * MIB)))


def _text_bomb(kind: bytes) -> bytes:
    packed = zlib.compress(bytes(20 * MIB))
    head = b"k\x00\x00" if kind == b"zTXt" else b"k\x00\x01\x00\x00\x00"
    return png_chunk(kind, head + packed) * 20


def _colours(mode: str, kind: str, **options: Any) -> Case:
    return Case(lambda: encode(noise(mode=mode), kind, **options), same=lambda: noise(mode=mode))


def _noise(seed: int) -> Callable[[], Image.Image]:
    """Of another seed for each case: two that show the same would be duplicates."""
    return lambda: noise(seed=seed)


def _see_through() -> Image.Image:
    image = noise(mode="RGBA")
    image.putalpha(noise(seed=9, mode="L"))
    return image


def _png(seed: int) -> bytes:
    return encode(noise(seed=seed))


ANIMATION = "animation of {} frames.*ISENGARD_MAX_IMAGE_FRAMES"
TOO_BIG = "ISENGARD_MAX_IMAGE_MEGAPIXELS"

CASES = {
    "animated.png": Case(lambda: animation("PNG"), ANIMATION.format(3)),
    "animated.webp": Case(lambda: animation("WEBP"), ANIMATION.format(3)),
    "animated.gif": Case(lambda: _frames("GIF", 3), "the file is GIF"),
    "still.gif": Case(lambda: encode(noise(mode="P"), "GIF"), "the file is GIF"),
    "pages.tiff": Case(lambda: _frames("TIFF", 3), "the file is TIFF"),
    "phone.mpo": Case(lambda: _frames("MPO", 2), same=lambda: _jpeg(noise())),
    "frames_claimed.png": Case(
        lambda: png_with(png_chunk(b"acTL", struct.pack(">II", 2**32 - 1, 0))), ANIMATION.format(2**32 - 1)
    ),
    "frames_unclaimed.png": Case(
        lambda: png_with(png_chunk(b"fcTL", bytes(26)) + png_chunk(b"fdAT", bytes(99)) * 500, _png(11)), same=_noise(11)
    ),
    "frames_flood.webp": Case(lambda: webp_with(b"ANMF\0\0\0\0" * 2_000_000), "more than 100000 parts"),
    "huge.png": Case(lambda: png_claiming(65_535, 65_535), TOO_BIG),
    "huge.jpg": Case(lambda: _jpeg_claiming(65_500, 65_500), TOO_BIG),
    "huge.webp": Case(lambda: _webp_claiming(1 << 24, 1 << 24), TOO_BIG),
    "line.png": Case(lambda: png_claiming(2**31 - 1, 1), TOO_BIG),
    "larger_than_it_is.png": Case(lambda: png_claiming(1500, 1500), "damaged"),
    "larger_than_it_is.webp": Case(lambda: _webp_claiming(1500, 1500), "damaged"),
    "larger_than_it_is.jpg": Case(lambda: _jpeg_claiming(1500, 1500)),  # a decoder fills up what is missing
    "truncated.png": Case(lambda: encode(noise((200, 200)))[:-3000], "damaged"),
    "truncated_frames.png": Case(lambda: animation("PNG")[:-700], r"damaged: it ends too early|animation"),
    "truncated_frames.webp": Case(lambda: animation("WEBP")[:-200], "damaged: it ends too early"),
    "truncated.jpg": Case(lambda: encode(noise((200, 200)), "JPEG")[:-3000], "damaged: it ends too early"),
    "scans.jpg": Case(lambda: scans(100_000), "more than 64 scans"),
    "photo.avif": Case(lambda: encode(noise(), "AVIF"), "the file is AVIF"),
    "photo.heic": Case(lambda: b"\x00\x00\x00\x18ftypheic" + bytes(99), "the file is HEIC"),
    "photo.jp2": Case(lambda: encode(noise(), "JPEG2000"), "the file is JPEG 2000"),
    "profile_bomb.png": Case(lambda: png_with(_profile_bomb(), _png(12)), same=_noise(12)),
    "profile_bomb.jpg": Case(lambda: encode(noise(), "JPEG", icc_profile=bytes(36) + b"acsp" + bytes(8 * MIB))),
    "profile_bomb.webp": Case(lambda: encode(noise(), "WEBP", icc_profile=bytes(36) + b"acsp" + bytes(8 * MIB))),
    "text_flood.png": Case(lambda: png_with(png_chunk(b"tEXt", b"k\x00v") * 90_000, _png(13)), same=_noise(13)),
    "text_floods.png": Case(lambda: png_with(png_chunk(b"tEXt", b"k\x00v") * 200_000), "more than 100000 parts"),
    "text_bomb.png": Case(lambda: png_with(_text_bomb(b"zTXt") + _text_bomb(b"iTXt"), _png(14)), same=_noise(14)),
    "comments.jpg": Case(lambda: jpeg_with(b"\xff\xfe\x00\x02" * 2_000_000), "more than 100000 parts"),
    "filled.jpg": Case(
        lambda: jpeg_with(b"\xff" * 10_000_000, encode(noise(seed=15), "JPEG")), same=lambda: _jpeg(noise(seed=15))
    ),
    "restarts.jpg": Case(lambda: jpeg_with(b"\xff\xd0" * 2_000_000), "more than 100000 parts"),
    "upright.jpg": Case(lambda: encode(noise(), "JPEG", exif=exif(6)), same=lambda: _jpeg(noise())),
    "upright.png": Case(lambda: encode(noise(), exif=exif(8)), same=noise),
    "cmyk.jpg": Case(lambda: encode(noise(mode="CMYK"), "JPEG"), same=lambda: _jpeg(noise(mode="CMYK"))),
    "grey.jpg": Case(lambda: encode(noise(mode="L"), "JPEG"), same=lambda: _jpeg(noise(mode="L"))),
    "deep.png": _colours("I;16", "PNG"),
    "palette.png": Case(lambda: encode(noise(mode="P"), transparency=bytes(range(256))), same=lambda: noise(mode="P")),
    "bits.png": _colours("1", "PNG"),
    "alpha.png": Case(lambda: encode(_see_through(), icc_profile=srgb_profile()), same=_see_through),
    "grey_alpha.png": _colours("LA", "PNG"),
    "alpha.webp": Case(lambda: encode(_see_through(), "WEBP", lossless=True, exact=True), same=_see_through),
}


_OF_PILLOW = {"dpi", "adobe", "adobe_transform", "srgb", "background", "loop", "timestamp", "duration"}


def _jpeg(image: Image.Image) -> Image.Image:
    return Image.open(io.BytesIO(encode(image, "JPEG")))


@dataclass
class Taken:
    """What became of all cases, sent in one way."""

    uploaded: dict[str, str]
    rejected: dict[str, str]
    pictures: dict[str, bytes]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("odd") / "data", max_image_megapixels=4) as made:
        yield made


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return {name: case.data() for name, case in CASES.items()}


def _new_character(server: ApiServer) -> str:
    with server.client() as client:
        return str(client.post("/api/characters", json={"name": "Pip", "trigger_word": "pipbot"}).json()["id"])


def _result(server: ApiServer, character: str, rejected: list[dict[str, str]]) -> Taken:
    with server.client() as client:
        images = client.get(f"/api/characters/{character}/images").json()["images"]
        stems = {Path(each["filename"]).stem: each for each in images}
        pictures = {stem: client.get(each["url"]).content for stem, each in stems.items()}
    return Taken(
        {stem: each["filename"] for stem, each in stems.items()},
        {each["filename"]: each["reason"] for each in rejected},
        pictures,
    )


@pytest.fixture(scope="module", params=["one by one", "in a zip", "from a folder"])
def taken(
    request: pytest.FixtureRequest, server: ApiServer, files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> Taken:
    character = _new_character(server)
    # Files of one stem would get a number.
    sent = {name.replace(".", "_", 1) + Path(name).suffix: data for name, data in files.items()}
    if request.param == "from a folder":
        folder = tmp_path_factory.mktemp("folder")
        for name, data in sent.items():
            (folder / name).write_bytes(data)
        argv = [sys.executable, "-m", "isengard", "characters", "add", character, str(folder), "--json"]
        argv += ["--data-dir", str(server.settings.data_dir)]
        env = {"ISENGARD_MAX_IMAGE_MEGAPIXELS": "4", "PATH": "/usr/bin:/bin"}
        done = subprocess.run(argv, capture_output=True, timeout=PATIENCE_S, check=True, env=env)
        return _result(server, character, json.loads(done.stdout)["rejected"])
    address = f"/api/characters/{character}/images"
    rejected: list[dict[str, str]] = []
    with server.client() as client:
        if request.param == "in a zip":
            upload = [("files", ("all.zip", zipped(sent, method=0)))]
            rejected += client.post(address, files=upload).json()["rejected"]
        else:
            for name, data in sent.items():
                rejected += client.post(address, files=[("files", (name, data))]).json()["rejected"]
    return _result(server, character, rejected)


@pytest.mark.parametrize("name", CASES)
def test_an_odd_picture_is_a_good_one_or_refused_with_the_reason(taken: Taken, name: str) -> None:
    case, sent = CASES[name], name.replace(".", "_", 1) + Path(name).suffix
    stem = Path(sent).stem
    if case.refused:
        assert sent in taken.rejected
        assert re.search(case.refused, taken.rejected[sent]), taken.rejected[sent]
        assert stem not in taken.uploaded
        return
    assert sent not in taken.rejected, taken.rejected.get(sent)
    with Image.open(io.BytesIO(taken.pictures[stem])) as image:
        assert image.format in ("PNG", "JPEG", "WEBP")
        assert getattr(image, "n_frames", 1) == 1
        image.load()
        allowed = {"icc_profile", "transparency", "gamma", "exif", "jfif", "jfif_version", "jfif_density", "jfif_unit"}
        assert image.info.keys() <= allowed | _OF_PILLOW
        assert set(image.getexif()) <= {ORIENTATION}
        if case.same is not None:
            assert image.tobytes() == case.same().tobytes()


def test_no_memory_is_taken_for_what_a_picture_only_claims(server: ApiServer, taken: Taken) -> None:
    """The cases claim pictures of 16 GB, profiles of 200 MB and texts of 800 MB."""
    del taken
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    assert peak < 512 * 1024
