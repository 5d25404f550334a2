"""Decodes pictures under limits: the only place of the package where Pillow touches bytes from outside.

Knows three formats and asks Pillow for no other, so the dozens of rarer decoders it has are never reached.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from isengard.datasets import containers, polyglots
from isengard.datasets.limits import Limits, Refused

_OF_BAD_BYTES = (
    *(OSError, ValueError, SyntaxError, LookupError, EOFError, ArithmeticError),
    *(TypeError, RuntimeError, MemoryError, struct.error, zlib.error),
)
"""What decoders raise over them."""
FORMATS = (containers.PNG, containers.JPEG, containers.WEBP)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture fit to be stored.

    Attributes:
        data: The whole file: the picture without anything hidden in it.
        suffix: Its ending, by content.
        width: Pixels across, after orientation.
        height: Pixels down, after orientation.
    """

    data: bytes
    suffix: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture with its pixels in memory; `width` and `height` are the file's own, after orientation."""

    image: Image.Image
    width: int
    height: int


def take(data: bytes, limits: Limits) -> Picture:
    """Check an uploaded file by really decoding it; raises `Refused` saying why it is not taken."""
    container = _bare(data, limits)
    kept = container.data
    if container.animated:
        kept = _first_frame(_pixels(kept, limits).image)
    whole = _pixels(kept, limits)
    if polyglots.is_something_else(kept):
        kept = polyglots.redrawn(whole.image, container.format)
    return Picture(kept, containers.SUFFIXES[container.format], whole.width, whole.height)


def decoded(data: bytes, limits: Limits, *, enough: int | None = None) -> Decoded:
    """The picture in `data` with its pixels read; raises `Refused` if it is damaged or over a limit.

    Args:
        data: The whole file.
        limits: Held against the file's own headers before a pixel is decoded.
        enough: The shorter side that is needed; a JPEG may then be decoded at a smaller scale that still has it.
    """
    return _pixels(_bare(data, limits).data, limits, enough)


def _bare(data: bytes, limits: Limits) -> containers.Container:
    container = containers.rewrite(data)
    limits.check_pixels(container.width, container.height)
    limits.check_frames(container.frames)
    return container


def _pixels(data: bytes, limits: Limits, enough: int | None = None) -> Decoded:
    with _refusals():
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        limits.check_pixels(*image.size)  # a file may say its size twice
        width, height = _oriented_size(image)
        if enough is not None:
            image.draft(None, _scaled(image.size, enough))
        image.load()
        return Decoded(image, width, height)


@contextmanager
def _refusals() -> Iterator[None]:
    """Turns what a decoder raises over bad bytes into `Refused`."""
    try:
        yield
    except Refused:
        raise
    except UnidentifiedImageError as error:
        raise Refused("the image is damaged: it cannot be read") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused("the image has too many pixels") from error
    except _OF_BAD_BYTES as error:
        raise Refused(f"the image is damaged: {_words(error)}") from error


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as its orientation says."""
    return ImageOps.exif_transpose(image)


def _oriented_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    return (height, width) if image.getexif().get(0x0112, 1) in (5, 6, 7, 8) else (width, height)


def _first_frame(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, format="WEBP", lossless=True, exif=b"", xmp=b"")
    return out.getvalue()


def _scaled(size: tuple[int, int], enough: int) -> tuple[int, int]:
    factor = min(1.0, enough / min(size))
    return round(size[0] * factor), round(size[1] * factor)


def _words(error: Exception) -> str:
    """What the decoder says, in one short line."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "it ends too early" if "truncated" in text else text[:120]


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture in sRGB with 8 bits a channel; transparent parts become white."""
    if image.mode.startswith("I;16"):
        image = image.point(lambda value: value * (1 / 256)).convert("L")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, "white")
        image.alpha_composite(layer)
        return image.convert("RGB")
    return _to_srgb(image) or image.convert("RGB")


def _to_srgb(image: Image.Image) -> Image.Image | None:
    """Converted by its own colour profile; None if it has none that can be used."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "CMYK", "L"):
        return None
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None  # a broken profile: the numbers as they are come closest
