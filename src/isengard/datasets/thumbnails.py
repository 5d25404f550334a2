"""Makes a small picture of a large one, under the limits of uploads: pixels only, no metadata, as WebP."""

from __future__ import annotations

import io

from PIL import Image

from isengard.datasets import pictures
from isengard.datasets.limits import Limits

MEDIA_TYPE = "image/webp"
SUFFIX = ".webp"
_QUALITY = 80


def thumbnail(data: bytes, limits: Limits, width: int) -> bytes | None:
    """The picture in `data` as a WebP `width` pixels across, its shape kept; None where it is no wider than that.

    Transparent parts stay so; colours become sRGB.

    Raises:
        Refused: It is damaged, of another kind, an animation, or over a limit.
    """
    picture = pictures.decoded(data, limits, enough=width)
    if picture.width <= width:
        return None
    image = pictures.upright(picture.image)
    image = image.convert("RGBA") if image.has_transparency_data else pictures.to_rgb(image)
    height = max(1, round(picture.height * width / picture.width))
    small = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    out = io.BytesIO()
    small.save(out, format="WEBP", quality=_QUALITY, method=4, exif=b"", xmp=b"", icc_profile=b"")
    return out.getvalue()
