"""Decodes pictures under limits: the only place of the package where Pillow touches bytes from outside.

Knows three formats and asks Pillow for no other, so the dozens of rarer decoders it has are never reached.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from isengard.datasets import containers
from isengard.datasets.limits import Limits, Refused

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


def take(data: bytes, limits: Limits) -> Picture:
    """Check an uploaded file by really decoding it; raises `Refused` saying why it is not taken."""
    container = _bare(data, limits)
    kept = container.data
    if container.animated:
        with _pixels(kept, limits) as image:
            kept = _first_frame(image)
    with _pixels(kept, limits) as image:
        width, height = oriented_size(image)
    return Picture(kept, containers.SUFFIXES[container.format], width, height)


@contextmanager
def decoded(data: bytes, limits: Limits, *, enough: int | None = None) -> Iterator[Image.Image]:
    """The picture in `data` with its pixels read; raises `Refused` if it is damaged or over a limit.

    Args:
        data: The whole file.
        limits: Held against the file's own headers before a pixel is decoded.
        enough: The shorter side that is needed; a JPEG may then be decoded at a smaller scale that still has it.
    """
    with _pixels(_bare(data, limits).data, limits, enough) as image:
        yield image


def _bare(data: bytes, limits: Limits) -> containers.Container:
    container = containers.rewrite(data)
    limits.check_pixels(container.width, container.height)
    limits.check_frames(container.frames)
    return container


@contextmanager
def _pixels(data: bytes, limits: Limits, enough: int | None = None) -> Iterator[Image.Image]:
    with _refusals(), Image.open(io.BytesIO(data), formats=FORMATS) as image:
        limits.check_pixels(*image.size)  # a file may say its size twice
        if enough is not None:
            image.draft(None, _scaled(image.size, enough))
        image.load()
        yield image


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
    except (OSError, ValueError, SyntaxError, IndexError, EOFError, ArithmeticError) as error:
        raise Refused(f"the image is damaged: {_words(error)}") from error


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as its orientation says."""
    return ImageOps.exif_transpose(image)


def oriented_size(image: Image.Image) -> tuple[int, int]:
    """Width and height after orientation."""
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
