"""Pictures and zips made at run time: good ones in every shape, and the ways in which they go wrong."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Mapping

from PIL import Image, ImageCms

ORIENTATION = 0x0112
MAKER = 0x010F


def noise(size: tuple[int, int] = (32, 24), seed: int = 0, mode: str = "RGB") -> Image.Image:
    """A picture unlike every other: random pixels."""
    rng = random.Random(seed)
    return Image.frombytes("RGB", size, rng.randbytes(size[0] * size[1] * 3)).convert(mode)


def scene(size: tuple[int, int] = (96, 64), seed: int = 0) -> Image.Image:
    """A picture with shapes, as photographs have them: smooth, in colour."""
    rng = random.Random(seed)
    small = Image.frombytes("RGB", (4, 4), rng.randbytes(48))
    return small.resize(size, Image.Resampling.BICUBIC)


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation: int = 1, maker: str = "") -> Image.Exif:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    if maker:
        tags[MAKER] = maker
    return tags


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def animation(kind: str) -> bytes:
    return encode(noise(seed=1), kind, save_all=True, append_images=[noise(seed=2), noise(seed=3)])


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is enormous."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def zipped(entries: Mapping[str, bytes] | list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in entries.items() if isinstance(entries, Mapping) else entries:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def scans(count: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """A progressive JPEG whose last refinement is drawn again and again: each time over the whole picture."""
    data = encode(Image.new("L", size, 128), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + data[-2:]


def webp_with(before: bytes, data: bytes | None = None) -> bytes:
    """A WebP with further parts before its own."""
    body = before + (data or encode(noise(), "WEBP"))[12:]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def png_with(before: bytes, data: bytes | None = None) -> bytes:
    """A PNG with further parts right behind its header."""
    whole = data or encode(noise())
    return whole[:33] + before + whole[33:]


def jpeg_with(before: bytes, data: bytes | None = None) -> bytes:
    """A JPEG with further segments at its beginning."""
    whole = data or encode(noise(), "JPEG")
    return whole[:2] + before + whole[2:]
