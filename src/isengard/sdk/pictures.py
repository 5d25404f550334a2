"""Pictures as scripts have them: a path, a PIL image, a numpy array, a torch tensor. Imports none of their libraries
before one is there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_CHANNELS = (1, 3, 4)


def picture(image: Any) -> Image | Path:
    """`image` as something that can be kept.

    Args:
        image: A path to a PNG, JPEG or WebP; a PIL image; an array or tensor, (H, W), (H, W, C) or (C, H, W) with 1, 3
            or 4 channels, as bytes 0 to 255 or as floats 0 to 1. A batch of one counts as its picture.

    Raises:
        TypeError: It is none of these.
        ValueError: It is, but its shape or its ending is not one that is known here.
    """
    if isinstance(image, str | os.PathLike):
        return _path(Path(os.fspath(image)))
    if hasattr(image, "detach") and hasattr(image, "cpu"):  # a tensor; bfloat16 is nothing that numpy knows
        image = image.detach().cpu()
        image = (image.float() if image.is_floating_point() else image).numpy()
    if hasattr(image, "__array_interface__") and not hasattr(image, "save"):
        return _from_array(image)
    if hasattr(image, "save") and hasattr(image, "mode"):
        return _storable(image)
    raise TypeError(f"image must be a path, a PIL image, an array or a tensor, not {type(image).__name__}")


def _path(path: Path) -> Path:
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"image must be a {', '.join(_SUFFIXES)} file, not {path.name!r}")
    return path


def _storable(image: Image) -> Image:
    """A picture in a mode that PNG knows."""
    return image if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else image.convert("RGB")


def _from_array(array: Any) -> Image:
    import numpy  # noqa: PLC0415 - whoever has an array has numpy loaded
    from PIL import Image  # noqa: PLC0415 - only for pictures

    values = numpy.asarray(array)
    while values.ndim > 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim == 3 and values.shape[-1] not in _CHANNELS and values.shape[0] in _CHANNELS:
        values = values.transpose(1, 2, 0)
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.size == 0 or not (values.ndim == 2 or (values.ndim == 3 and values.shape[-1] in _CHANNELS)):
        shape = tuple(numpy.shape(array))
        raise ValueError(
            f"image has the shape {shape}; it must be (H, W), (H, W, C) or (C, H, W) with 1, 3 or 4 channels"
        )
    return Image.fromarray(_as_bytes(values))


def _as_bytes(values: Any) -> Any:
    import numpy  # noqa: PLC0415 - see above

    if values.dtype.kind == "f":
        values = numpy.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0).clip(0.0, 1.0) * 255
        return values.round().astype("uint8")
    if values.dtype.kind == "b":
        return values.astype("uint8") * 255
    if values.dtype.kind in "iu":
        return values.clip(0, 255).astype("uint8")
    raise TypeError(f"image must hold whole numbers or floats, not {values.dtype}")
