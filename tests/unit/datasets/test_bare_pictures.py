"""What is left of an uploaded picture: its pixels, its colours, its orientation; and nothing that was hidden in it."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from dataclasses import replace
from secrets import token_hex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from isengard.datasets import pictures
from isengard.datasets.limits import Limits, Refused
from standins.pictures import (
    ORIENTATION,
    animation,
    encode,
    exif,
    noise,
    png_chunk,
    png_claiming,
    scene,
    srgb_profile,
    zipped,
)

LIMITS = Limits(image_bytes=1 << 20, image_pixels=1_000_000)

SHAPES = [
    ("PNG", mode, options)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
    for options in ({}, {"exif": exif(6)}, {"icc_profile": srgb_profile()})
]
SHAPES += [
    ("JPEG", mode, options)
    for mode in ("L", "RGB", "CMYK")
    for options in (
        {},
        {"progressive": True},
        {"exif": exif(3), "icc_profile": srgb_profile()},
        {"quality": 95, "subsampling": 0, "restart_marker_blocks": 1},
    )
]
SHAPES += [
    ("WEBP", mode, options)
    for mode in ("RGB", "RGBA")
    for options in ({}, {"lossless": True}, {"exif": exif(8), "icc_profile": srgb_profile()})
]


@pytest.mark.parametrize(("kind", "mode", "options"), SHAPES)
def test_pixels_colours_and_orientation_are_kept_exactly(kind: str, mode: str, options: dict[str, object]) -> None:
    original = encode(noise(mode=mode), kind, **options)
    bare = pictures.take(original, LIMITS)
    before, after = Image.open(io.BytesIO(original)), Image.open(io.BytesIO(bare.data))
    assert (before.format, before.mode, before.size) == (after.format, after.mode, after.size)
    assert before.tobytes() == after.tobytes()
    assert before.info.get("icc_profile") == after.info.get("icc_profile")
    assert before.getexif().get(ORIENTATION, 1) == after.getexif().get(ORIENTATION, 1)
    assert pictures.take(bare.data, LIMITS).data == bare.data


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_upright_picture(kind: str, orientation: int) -> None:
    bare = pictures.take(encode(noise((40, 30)), kind, exif=exif(orientation)), LIMITS)
    assert (bare.width, bare.height) == ((40, 30) if orientation < 5 else (30, 40))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_nothing_written_into_the_metadata_is_left(kind: str) -> None:
    secret = token_hex(16)
    options: dict[str, object] = {"exif": exif(6, maker=secret), "xmp": f"<x>{secret}</x>".encode()}
    if kind == "JPEG":
        options["comment"] = secret
    data = encode(noise(), kind, **options)
    if kind == "PNG":
        data = data[:33] + png_chunk(b"tEXt", b"parameters\x00" + secret.encode()) + data[33:]
    assert secret.encode() in data
    assert secret.encode() not in pictures.take(data, LIMITS).data


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    "payload", [b"<html><script>alert(1)</script>", b"<?php system($_GET[0]); ?>", zipped({"a.txt": b"x" * 99})]
)
def test_what_hangs_behind_the_picture_is_cut_off(kind: str, payload: bytes) -> None:
    data = encode(noise(), kind)
    assert pictures.take(data + payload, LIMITS).data == pictures.take(data, LIMITS).data
    assert payload not in pictures.take(data + payload, LIMITS).data


def test_a_phones_second_picture_behind_the_first_is_cut_off() -> None:
    data = encode(noise(seed=1), "MPO", save_all=True, append_images=[noise(seed=2)])
    bare = pictures.take(data, LIMITS)
    assert Image.open(io.BytesIO(bare.data)).format == "JPEG"
    assert bare.suffix == ".jpg"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "SVG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><svg/>", "SVG"),
        (b"<!DOCTYPE html><script>", "HTML"),
        (encode(noise(mode="P"), "GIF"), "GIF"),
        (b"GIF89a/*" + encode(noise(), "JPEG"), "GIF"),
        (encode(noise(), "BMP"), "BMP"),
        (encode(noise(), "TIFF"), "TIFF"),
        (encode(noise(), "PDF"), "PDF"),
        (encode(noise((32, 32)), "ICO"), "icon"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(50), "HEIC"),
        (b"\x00\x00\x00\x18ftypmif1" + bytes(50), "HEIC"),
        (b"\x00\x00\x00\x18ftypisom" + bytes(50), "a video"),
        (encode(noise(), "AVIF"), "AVIF"),
        (encode(noise(), "JPEG2000"), "JPEG 2000"),
        (zipped({"a.png": encode(noise())}), "zip"),
        (b"\x80\x04\x95 a pickle", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
    ],
)
def test_other_formats_are_refused_by_name(data: bytes, words: str) -> None:
    with pytest.raises(Refused, match=words):
        pictures.take(data, LIMITS)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_refused_unless_allowed_and_then_its_first_frame_is_kept(kind: str) -> None:
    with pytest.raises(Refused, match=r"animation of 3 frames.*ISENGARD_MAX_IMAGE_FRAMES"):
        pictures.take(animation(kind), LIMITS)
    bare = pictures.take(animation(kind), replace(LIMITS, image_frames=3))
    image = Image.open(io.BytesIO(bare.data))
    assert getattr(image, "n_frames", 1) == 1
    if kind == "PNG":
        assert image.tobytes() == noise(seed=1).tobytes()


@pytest.mark.parametrize(("width", "height"), [(1001, 1000), (65_535, 65_535), (2**31 - 1, 2**31 - 1), (2_000_000, 1)])
def test_a_picture_with_too_many_pixels_is_refused_by_its_header(width: int, height: int) -> None:
    with pytest.raises(Refused, match="ISENGARD_MAX_IMAGE_MEGAPIXELS"):
        pictures.take(png_claiming(width, height), LIMITS)


@pytest.mark.parametrize(("width", "height"), [(0, 10), (10, 0)])
def test_a_picture_without_area_is_refused(width: int, height: int) -> None:
    with pytest.raises(Refused, match=f"{width} × {height}"):
        pictures.take(png_claiming(width, height), LIMITS)


def test_a_picture_that_lies_about_its_size_is_damaged() -> None:
    with pytest.raises(Refused, match="damaged"):
        pictures.take(png_claiming(500, 500), LIMITS)


def test_a_colour_profile_that_unpacks_to_megabytes_is_dropped() -> None:
    data = encode(noise(), "PNG")
    bomb = png_chunk(b"iCCP", b"bomb\x00\x00" + zlib.compress(bytes(36) + b"acsp" + bytes(50_000_000)))
    assert pictures.take(data[:33] + bomb + data[33:], LIMITS).data == pictures.take(data, LIMITS).data


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.99])
def test_a_truncated_picture_is_refused(kind: str, share: float) -> None:
    data = encode(scene(), kind)
    with pytest.raises(Refused, match=r"damaged|not an image|empty"):
        pictures.take(data[: int(len(data) * share)], LIMITS)


@given(kind=st.sampled_from(["PNG", "JPEG", "WEBP"]), seed=st.integers(0, 10_000), hits=st.integers(1, 8))
def test_a_corrupted_picture_is_refused_or_still_decodes(kind: str, seed: int, hits: int) -> None:
    """Random bytes overwritten: whatever is taken must be a picture that decodes; nothing else may come out."""
    rng = random.Random(seed)
    data = bytearray(encode(scene(seed=seed % 3), kind, **({"exif": exif(6)} if seed % 2 else {})))
    for _ in range(hits):
        data[rng.randrange(len(data))] = rng.randrange(256)
    try:
        bare = pictures.take(bytes(data), LIMITS)
    except Refused:
        return
    image = Image.open(io.BytesIO(bare.data))
    image.load()
    assert image.width * image.height <= LIMITS.image_pixels


@given(
    data=st.binary(max_size=200),
    magic=st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x40\x00\x00\x00WEBP"]),
)
def test_rubbish_behind_a_good_beginning_is_refused(data: bytes, magic: bytes) -> None:
    with pytest.raises(Refused):
        pictures.take(magic + data, LIMITS)


def hidden(kind: str) -> bytes:
    """A picture with a zip or a page in a part of it that a decoder does not mind."""
    packed = zipped({"page.html": b"x"})
    script = b"<SCRIPT>alert(1)</SCRIPT>"
    profile = bytes(36) + b"acsp" + bytes(88)
    png, jpeg = encode(scene((40, 30)), "PNG"), encode(scene((40, 30)), "JPEG")
    if kind == "zip in a PNG's colour profile":
        part = png_chunk(b"iCCP", b"p\x00\x00" + zlib.compress(profile + packed, 0))
        return png[:33] + part + png[33:]
    if kind == "zip behind a PNG's pixels":
        return png[:-12] + png_chunk(b"IDAT", packed) + png[-12:]
    if kind == "page in a PNG's palette":
        return png[:33] + png_chunk(b"PLTE", script * 3) + png[33:]
    if kind == "page in a JPEG's colour profile":
        content = b"ICC_PROFILE\x00\x01\x01" + profile + script
        return jpeg[:2] + b"\xff\xe2" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]
    return jpeg[:-2] + packed + jpeg[-2:]


@pytest.mark.parametrize(
    "kind",
    [
        "zip in a PNG's colour profile",
        "zip behind a PNG's pixels",
        "page in a PNG's palette",
        "page in a JPEG's colour profile",
        "zip behind a JPEG's pixels",
    ],
)
def test_a_picture_that_is_something_else_in_its_own_parts_is_drawn_anew(kind: str) -> None:
    data = hidden(kind)
    kept = pictures.take(data, LIMITS).data
    assert b"<script" not in kept.lower()
    assert not zipfile.is_zipfile(io.BytesIO(kept))
    before, after = (Image.open(io.BytesIO(each)).convert("L") for each in (data, kept))
    assert before.size == after.size
    difference = ImageStat.Stat(ImageChops.difference(before, after)).mean[0]
    assert difference == 0 if "PNG" in kind else difference < 6
