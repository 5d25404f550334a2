"""Looks at one image of a dataset as a training would meet it: does it decode, how large is it, what does it show.

Facts only; `checks.py` says which of them matter and `prepare.py` makes the training's copies.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops

from isengard.datasets import captions, files, pictures
from isengard.datasets.containers import MEDIA_TYPES
from isengard.datasets.limits import Limits, Refused

_GLANCE = 64
"""Side in pixels at which colour and likeness are judged."""

_GREY_SPREAD = 8
"""Channels that differ by no more than this, of 255, show no colour: a scan of a drawing is never quite grey."""

_NEAR_BITS = 8
_NEAR_COLOUR = 12
"""Pictures look alike if at most so many of 128 bits differ and the average colour by no more than this of 255."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of one image.

    Attributes:
        width: Pixels across after orientation; 0 if it cannot be read.
        fingerprint: 19 bytes that change little when the picture changes little: 128 bits of what is brighter than
            its neighbours, then the average colour.
        content: SHA-256 of the file.
        caption: Its caption, None for a missing or empty one.
        caption_error: Why its caption cannot be used.
        error: Why the image cannot be used.
    """

    filename: str
    width: int = 0
    height: int = 0
    grey: bool = False
    transparent: bool = False
    fingerprint: bytes = b""
    content: str = ""
    caption: str | None = None
    caption_error: str | None = None
    error: str | None = None


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder by name; hidden files and links are left out."""
    found = (path for path in folder.iterdir() if path.suffix.lower() in MEDIA_TYPES and path.name[0] != ".")
    return sorted((path for path in found if path.is_file() and not path.is_symlink()), key=lambda path: path.name)


def look(path: Path, limits: Limits) -> Sight:
    """What is to know of the image at `path`; never raises over its content."""
    try:
        return open_image(path, limits, enough=_GLANCE)[0]
    except Refused as refusal:
        return Sight(path.name, error=refusal.detail)


def open_image(path: Path, limits: Limits, *, enough: int) -> tuple[Sight, Image.Image]:
    """The facts and the upright picture; raises `Refused` if it cannot be used.

    Args:
        enough: The shorter side that is needed; a larger JPEG may come smaller, but not below it.
    """
    data = files.read_image(path, limits)
    caption, caption_error = _caption(path, limits)
    whole = pictures.decoded(data, limits, enough=enough)
    image = pictures.upright(whole.image)
    glance = pictures.to_rgb(image.resize((_GLANCE, _GLANCE), Image.Resampling.BOX))
    sight = Sight(
        filename=path.name,
        width=whole.width,
        height=whole.height,
        grey=_is_grey(glance),
        transparent=_is_transparent(image),
        fingerprint=_fingerprint(glance),
        content=files.sha256(data),
        caption=caption,
        caption_error=caption_error,
    )
    return sight, image


def alike(sights: list[Sight]) -> list[tuple[str, str]]:
    """Pairs that look the same or nearly so, each image with the first one it resembles."""
    if len(sights) < 2:
        return []
    import numpy as np  # noqa: PLC0415 - a tenth of a second that only a survey should pay

    prints = np.frombuffer(b"".join(sight.fingerprint for sight in sights), np.uint8).reshape(len(sights), 19)
    bits, colours = np.ascontiguousarray(prints[:, :16]).view(np.uint16), prints[:, 16:].astype(np.int16)
    ones = np.array([number.bit_count() for number in range(1 << 16)], dtype=np.uint8)
    pairs = []
    for later in range(1, len(sights)):
        near = ones[np.bitwise_xor(bits[:later], bits[later])].sum(axis=1) <= _NEAR_BITS
        near &= np.abs(colours[:later] - colours[later]).max(axis=1) <= _NEAR_COLOUR
        if near.any():
            pairs.append((sights[int(near.argmax())].filename, sights[later].filename))
    return pairs


def _caption(path: Path, limits: Limits) -> tuple[str | None, str | None]:
    try:
        return captions.read(path, limits), None
    except Refused as refusal:
        return None, refusal.detail


def _is_transparent(image: Image.Image) -> bool:
    """Whether any pixel lets the background through; an alpha channel that is opaque everywhere does not count."""
    return image.has_transparency_data and any(image.convert("RGBA").getchannel("A").histogram()[:255])


def _is_grey(glance: Image.Image) -> bool:
    red, green, blue = glance.split()
    spread = ImageChops.lighter(ImageChops.difference(red, green), ImageChops.difference(green, blue))
    return max(spread.tobytes()) <= _GREY_SPREAD


def _fingerprint(glance: Image.Image) -> bytes:
    """See `Sight.fingerprint`: 8 × 8 squares compared with their right neighbours, 8 × 8 with those below."""
    grey = glance.convert("L")
    across = grey.resize((9, 8), Image.Resampling.LANCZOS).tobytes()
    down = grey.resize((8, 9), Image.Resampling.LANCZOS).tobytes()
    bits = [across[row * 9 + column] > across[row * 9 + column + 1] for row in range(8) for column in range(8)]
    bits += [down[at] > down[at + 8] for at in range(64)]
    value = sum(bit << place for place, bit in enumerate(bits))
    return value.to_bytes(16, "big") + glance.resize((1, 1), Image.Resampling.BOX).tobytes()
