"""Captions: plain text in a ``.txt`` beside the image. The file is the caption; the database holds no copy.

Knows how a caption is read, checked and written; never which images there are.
"""

from __future__ import annotations

import codecs
import unicodedata
from pathlib import Path

from isengard.core.errors import StorageError
from isengard.datasets import files
from isengard.datasets.limits import Limits, Refused

SUFFIX = ".txt"


def path_of(image: Path) -> Path:
    """Where the caption of `image` lies."""
    return image.with_suffix(SUFFIX)


def clean(text: str, limits: Limits) -> str:
    """The caption as it is stored: composed Unicode, plain line ends, no white space around it.

    Raises:
        Refused: It is over the limit or holds control characters or marks that reorder text.
    """
    plain = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(plain) > limits.caption_chars:
        raise limits.caption_too_long()
    for char in plain:
        if char not in "\n\t" and _is_hostile(char):
            raise Refused(f"the caption holds a control character (U+{ord(char):04X})", field="caption")
    return plain


def decode(data: bytes, limits: Limits) -> str:
    """The caption in a text file: UTF-8, or UTF-16 with its mark; raises `Refused` for anything else."""
    if len(data) > limits.caption_bytes:
        raise limits.caption_too_long()
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return clean(data.decode(encoding), limits)
    except UnicodeDecodeError as error:
        raise Refused("the caption is not UTF-8 text", field="caption") from error


def read(image: Path, limits: Limits) -> str | None:
    """The caption of `image`, None if it has none or an empty one; raises `Refused` for a file that is no caption."""
    data = files.read_bounded(path_of(image), limits.caption_bytes)
    if data is None:
        return None
    return decode(data, limits) or None


def write(image: Path, text: str, limits: Limits) -> str | None:
    """Replace the caption of `image`; an empty one takes the file away. Returns it as stored.

    Raises:
        Refused: The text is no caption; nothing was changed.
        StorageError: The disk refused; the old caption is still there.
    """
    caption = clean(text, limits)
    target = path_of(image)
    try:
        if caption:
            files.write_atomically(target, caption.encode("utf-8"))
        else:
            target.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"the caption could not be stored: {error.strerror}") from error
    return caption or None


def _is_hostile(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs") or char in _REORDERING


_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
