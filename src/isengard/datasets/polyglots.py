"""Tells whether a bare picture is still something else as well: a zip, or a page or script that a careless reader runs.

`containers.py` leaves nothing beside the picture, but the picture's own parts have room too: a colour profile, what
stands behind the end of the packed pixels, a table that nothing uses. Such a file is drawn anew from its pixels.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

from PIL import Image

from isengard.datasets.limits import Refused

_ORIENTATION = 0x0112
_QUALITY: dict[str, dict[str, Any]] = {"PNG": {}, "JPEG": {"quality": 95}, "WEBP": {"lossless": True}}
_TEXT = re.compile(
    rb"<(?:script|html|!doctype|svg|body|iframe|object|embed|meta|link|img|\?php|\?xml|!entity)|javascript:|%pdf-1|<\?=",
    re.IGNORECASE,
)
"""Five bytes and more: in packed pixels they come about by chance once in thousands of gigabytes or hardly ever."""


def is_something_else(data: bytes) -> bool:
    """Whether `data`, a picture, could be taken for a zip, a page, a script or a PDF as well."""
    return _TEXT.search(data) is not None or zipfile.is_zipfile(io.BytesIO(data))


def redrawn(image: Image.Image, kind: str) -> bytes:
    """The picture as a new file of the same `kind`, its pixels and orientation and nothing else.

    PNG and WebP lose nothing but the colour profile. Raises `Refused` where the pixels themselves are the other thing.
    """
    exif = Image.Exif()
    orientation = image.getexif().get(_ORIENTATION, 1)
    if orientation != 1:
        exif[_ORIENTATION] = orientation
    out = io.BytesIO()
    image.save(out, format=kind, exif=exif, icc_profile=None, **_QUALITY[kind])
    if is_something_else(out.getvalue()):
        raise Refused("the image is also a file of another kind")
    return out.getvalue()
