"""Secrets in the metadata of images, with real files made and read by Pillow."""

from __future__ import annotations

import io
import json
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from secret_corpus import ALNUM, draw

from isengard.core.redaction import Redactor
from isengard.core.redaction.images import scrub_image

RNG = random.Random(13)
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8))
KNOWN = draw(RNG, ALNUM, 24)
REDACTOR = Redactor([KNOWN])


def token() -> str:
    return "hf" + "_" + draw(RNG, ALNUM, 34)


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    PICTURE.save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def same_pixels(one: bytes, other: bytes) -> bool:
    return bool((np.asarray(opened(one)) == np.asarray(opened(other))).all())


def exif_with(text: str) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = f"description {text} end"
    exif[0x9286] = b"UNICODE\0" + f"comment {text} end".encode("utf-16-be")
    exif[0x9C9C] = f"windows {text} end".encode("utf-16-le")
    exif[0x0112] = 1
    return exif


def hides(data: bytes, secret: str) -> bool:
    return not any(secret.encode(encoding) in data for encoding in ("utf-8", "utf-16-le", "utf-16-be"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("secret", [KNOWN, "known by its shape"])
def test_exif_loses_its_secrets_and_keeps_its_structure(kind: str, secret: str) -> None:
    secret = secret if secret == KNOWN else token()
    data = encoded(kind, exif=exif_with(secret))
    scrubbed = scrub_image(data, REDACTOR)
    assert hides(scrubbed, secret)
    assert len(scrubbed) == len(data)
    assert same_pixels(data, scrubbed)
    exif = opened(scrubbed).getexif()
    assert exif[0x010E].startswith("description ")
    assert exif[0x010E].endswith(" end")
    assert exif[0x0112] == 1


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_xmp_loses_its_secrets(kind: str) -> None:
    secret = token()
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'><a>{secret}</a></x:xmpmeta>"
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp)
        data = encoded(kind, pnginfo=info)
    else:
        data = encoded(kind, xmp=xmp.encode())
    scrubbed = scrub_image(data, REDACTOR)
    assert hides(scrubbed, secret)
    assert same_pixels(data, scrubbed)
    assert b"x:xmpmeta" in scrubbed


@pytest.mark.parametrize("way", ["plain", "compressed", "international", "international compressed"])
def test_text_of_a_png_keeps_its_words_and_loses_its_secrets(way: str) -> None:
    secret, key = token(), draw(RNG, ALNUM, 20)
    info = PngImagePlugin.PngInfo()
    texts = {
        "parameters": f"a photo of ohwx, {secret}\nSteps: 20, Sampler: Euler a, Seed: 42",
        "prompt": json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 5, "api_key": key}}}),
    }
    for name, text in texts.items():
        if way.startswith("international"):
            info.add_itxt(name, text, zip=way.endswith("compressed"))
        else:
            info.add_text(name, text, zip=way == "compressed")
    data = encoded("PNG", pnginfo=info)
    scrubbed = scrub_image(data, REDACTOR)
    found = opened(scrubbed).info
    assert found["parameters"] == "a photo of ohwx, hf_***REDACTED***\nSteps: 20, Sampler: Euler a, Seed: 42"
    assert json.loads(found["prompt"])["3"]["inputs"] == {"seed": 5, "api_key": "***"}
    assert same_pixels(data, scrubbed)
    assert scrub_image(scrubbed, REDACTOR) is scrubbed


def test_the_name_of_a_text_makes_it_a_secret_and_a_secret_name_is_masked() -> None:
    secret = draw(RNG, ALNUM, 20)
    info = PngImagePlugin.PngInfo()
    info.add_text("api_key", secret)
    info.add_text(token(), "x")
    found = opened(scrub_image(encoded("PNG", pnginfo=info), REDACTOR)).info
    assert found == {"api_key": "***", "hf_REDACTED": "x"}


def test_a_comment_of_a_jpeg_loses_its_secrets() -> None:
    secret = token()
    data = encoded("JPEG", comment=f"made with {secret}".encode(), progressive=True)
    scrubbed = scrub_image(data, REDACTOR)
    assert opened(scrubbed).info["comment"] == b"made with hf_***REDACTED***"
    assert same_pixels(data, scrubbed)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_a_clean_image_comes_back_as_the_same_object(kind: str) -> None:
    data = encoded(kind)
    assert scrub_image(data, REDACTOR) is data


def test_clean_metadata_stays_byte_for_byte() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a photo of ohwx\nSteps: 20, Seed: 42, Model hash: 6ce0161689", zip=True)
    info.add_itxt("workflow", json.dumps({"nodes": [{"id": 1, "type": "KSampler"}]}))
    data = encoded("PNG", pnginfo=info, exif=exif_with("nothing"))
    assert scrub_image(data, REDACTOR) is data


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_what_is_appended_to_an_image_loses_its_secrets(kind: str) -> None:
    secret = token()
    scrubbed = scrub_image(encoded(kind) + f"appended {secret}".encode(), REDACTOR)
    assert hides(scrubbed, secret)
    assert b"appended" in scrubbed


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_with(*chunks: bytes) -> bytes:
    data = encoded("PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def test_text_that_inflates_beyond_the_limit_is_left_out() -> None:
    bomb = zlib.compress(b"a" * (40 * 1024 * 1024), 9)
    data = _png_with(_chunk(b"zTXt", b"bomb\0\0" + bomb), _chunk(b"tEXt", b"kept\0text"))
    scrubbed = scrub_image(data, REDACTOR)
    assert opened(scrubbed).info == {"kept": "text"}


@pytest.mark.parametrize(
    "chunk",
    [b"zTXt" + b"broken\0\0not deflate", b"iTXt" + b"x", b"iTXt" + b"x\0\1\0", b"zTXt" + b"x", b"iTXt" + b"x\0\0\0a\0"],
)
def test_broken_text_is_left_out_and_the_pixels_stay(chunk: bytes) -> None:
    data = _png_with(_chunk(chunk[:4], chunk[4:]))
    scrubbed = scrub_image(data, REDACTOR)
    assert same_pixels(scrubbed, encoded("PNG"))


def test_a_secret_in_a_private_chunk_is_overwritten() -> None:
    secret = token()
    scrubbed = scrub_image(_png_with(_chunk(b"prVt", f"x {secret} y".encode())), REDACTOR)
    assert hides(scrubbed, secret)
    assert same_pixels(scrubbed, encoded("PNG"))


def test_a_hexadecimal_profile_with_a_secret_is_left_out() -> None:
    profile = f"exif {token()}".encode()
    text = f"\nexif\n{len(profile):8d}\n{profile.hex()}\n".encode()
    data = _png_with(_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text)))
    assert opened(scrub_image(data, REDACTOR)).info == {}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_no_cut_or_flipped_file_raises(kind: str) -> None:
    data = bytearray(encoded(kind, exif=exif_with(token())))
    for place in range(0, len(data), 37):
        assert isinstance(scrub_image(bytes(data[:place]), REDACTOR), bytes)
        flipped = bytearray(data)
        flipped[place] ^= 0xFF
        assert isinstance(scrub_image(bytes(flipped), REDACTOR), bytes)


def test_overwriting_twice_is_overwriting_once() -> None:
    secret = draw(random.Random(7), ALNUM, 12)
    knowing = Redactor([secret])
    parted = f"{secret[:8]}{chr(0x1E) * 4}{secret[8:]}1".encode() + b"\xab\xfe\xcc"  # found by what it is, then by name
    once = scrub_image(_png_with(_chunk(b"prVt", b"\0token=" + parted + b"\0\0")), knowing)
    assert scrub_image(once, knowing) == once
