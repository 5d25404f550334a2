"""Images: secrets in the metadata of PNG, JPEG and WebP files, masked without touching a pixel.

Generation tools write prompts, workflows and whole configurations into samples, and with them what should not leave the
machine. Text stays text: a prompt keeps its words and loses its secrets. In binary metadata (EXIF) a secret is
overwritten in place by as many ``*``, so no offset moves. What cannot be judged (text that inflates beyond a limit, a
broken chunk) is left out. Other formats come back unchanged; the pixels are copied, never decoded.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from functools import cache

from isengard.core.redaction.engine import ROUNDS
from isengard.core.redaction.redactor import Redactor

_INFLATED_LIMIT = 16 * 1024 * 1024
"""Bytes of inflated text that one image may hold; compressed text beyond it is left out."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_PIXELS = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"fdAT", b"fcTL", b"acTL", b"iCCP"))
_WEBP_PIXELS = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"ICCP"))
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_SOS, _EOI, _COM = 0xDA, 0xD9, 0xFE
_BARE_MARKERS = frozenset((0x01, *range(0xD0, 0xD9)))
_AFTER_SCAN = re.compile(rb"\xff(?=[^\x00\xd0-\xd7\xff])")
_LONGEST_SEGMENT = 65_533


def scrub_image(data: bytes, redactor: Redactor | None = None) -> bytes:
    """`data` with the secrets in its metadata masked; the same object if there are none or it is another format.

    Args:
        data: A whole file.
        redactor: Says what is a secret; the default rules if none is given.
    """
    redactor = redactor or _default()
    if data.startswith(_PNG):
        parts = list(_png(data, redactor))
    elif data.startswith(b"\xff\xd8\xff"):
        parts = list(_jpeg(data, redactor))
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        parts = [data[:12], *_webp(data, redactor)]
    else:
        return data
    scrubbed = b"".join(parts)
    return data if scrubbed == data else scrubbed


@cache
def _default() -> Redactor:
    return Redactor()


# ---- binary metadata: overwritten in place ---------------------------------------------------------------------------


_VIEWS = (
    (0, "utf-8", "surrogateescape"),
    (0, "utf-16-le", "surrogatepass"),
    (1, "utf-16-le", "surrogatepass"),
    (0, "utf-16-be", "surrogatepass"),
    (1, "utf-16-be", "surrogatepass"),
)


def _overwrite(blob: bytes, redactor: Redactor) -> bytes:
    """`blob` with every secret, in UTF-8 or in UTF-16 of either order, overwritten by ``*``."""
    for _ in range(ROUNDS):
        masked = _overwrite_once(blob, redactor)
        if masked == blob:
            break
        blob = masked
    return blob


def _overwrite_once(blob: bytes, redactor: Redactor) -> bytes:
    changed = bytearray(blob)
    for offset, encoding, errors in _VIEWS:
        for start, size in _secrets_in(blob, offset, encoding, errors, redactor):
            fill = "*" * (size // (2 if "16" in encoding else 1))
            changed[start : start + size] = fill.encode(encoding)
    return bytes(changed)


def _secrets_in(blob: bytes, offset: int, encoding: str, errors: str, redactor: Redactor) -> Iterator[tuple[int, int]]:
    """Where secrets stand in `blob`, read in one encoding from `offset`: (first byte, number of bytes)."""
    unit = 2 if "16" in encoding else 1
    end = offset + max(0, len(blob) - offset) // unit * unit
    try:
        text = blob[offset:end].decode(encoding, errors)
    except UnicodeDecodeError:  # half a surrogate pair at the very end
        return
    for finding in redactor.find(text):
        start = offset + len(text[: finding.start].encode(encoding, errors))
        yield start, len(text[finding.start : finding.end].encode(encoding, errors))


def _text(name: str, text: str, redactor: Redactor) -> str:
    """The text of a chunk called `name`; a name can make all of it a secret."""
    masked = redactor.value({name: text})
    return str(next(iter(masked.values())))


# ---- PNG -------------------------------------------------------------------------------------------------------------


class _Budget:
    """How much more may be inflated."""

    def __init__(self) -> None:
        self._left = _INFLATED_LIMIT

    def inflate(self, data: bytes) -> bytes | None:
        """`data` inflated, or None if it is broken or too much."""
        engine = zlib.decompressobj()
        try:
            text = engine.decompress(data, self._left + 1)
        except zlib.error:
            return None
        if len(text) > self._left or not engine.eof:
            return None
        self._left -= len(text)
        return text


def _png(data: bytes, redactor: Redactor) -> Iterator[bytes]:
    yield _PNG
    budget, position = _Budget(), len(_PNG)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind, end = data[position + 4 : position + 8], position + 12 + length
        if end > len(data):
            break
        body = data[position + 8 : end - 4]
        new = body if kind in _PNG_PIXELS else _png_chunk(kind, body, redactor, budget)
        if new is body or new == body:
            yield data[position:end]
        elif new is not None:
            yield struct.pack(">I", len(new)) + kind + new + struct.pack(">I", zlib.crc32(kind + new))
        position = end
        if kind == b"IEND":
            break
    yield _overwrite(data[position:], redactor)


def _png_chunk(kind: bytes, body: bytes, redactor: Redactor, budget: _Budget) -> bytes | None:
    """The chunk's new content; None to leave the chunk out."""
    if kind == b"tEXt":
        return _png_plain(body, redactor)
    if kind == b"zTXt":
        return _png_compressed(body, redactor, budget)
    if kind == b"iTXt":
        return _png_international(body, redactor, budget)
    return _overwrite(body, redactor)


def _png_plain(body: bytes, redactor: Redactor) -> bytes | None:
    keyword, separator, raw = body.partition(b"\0")
    text = _png_text(keyword, raw, redactor)
    return None if text is None else _keyword(keyword, redactor) + separator + text


def _png_compressed(body: bytes, redactor: Redactor, budget: _Budget) -> bytes | None:
    keyword, _, rest = body.partition(b"\0")
    raw = budget.inflate(rest[1:]) if rest else b""
    text = None if raw is None else _png_text(keyword, raw, redactor)
    if text is None or text == raw:
        return None if text is None else _same_keyword(keyword, body, redactor)
    return _keyword(keyword, redactor) + b"\0\0" + zlib.compress(text)


def _png_international(body: bytes, redactor: Redactor, budget: _Budget) -> bytes | None:
    parts = body.split(b"\0", 1)
    if len(parts) < 2 or len(parts[1]) < 2:
        return None
    keyword, flags, rest = parts[0], parts[1][:2], parts[1][2:]
    fields = rest.split(b"\0", 2)
    if len(fields) < 3:
        return None
    raw = budget.inflate(fields[2]) if flags[0] else fields[2]
    text = None if raw is None else _png_text(keyword, raw, redactor)
    if text is None or text == raw:
        return None if text is None else _same_keyword(keyword, body, redactor)
    translated = redactor.text(fields[1].decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    packed = zlib.compress(text) if flags[0] else text
    return b"\0".join((_keyword(keyword, redactor), flags + fields[0], translated, packed))


def _keyword(keyword: bytes, redactor: Redactor) -> bytes:
    return redactor.filename(keyword.decode("latin-1")).encode("latin-1")[:79]


def _same_keyword(keyword: bytes, body: bytes, redactor: Redactor) -> bytes | None:
    """`body`, or None if its keyword is a secret itself."""
    return body if _keyword(keyword, redactor) == keyword[:79] else None


def _png_text(keyword: bytes, raw: bytes, redactor: Redactor) -> bytes | None:
    """The text of a chunk without its secrets; None if it has some that cannot be cut out of it."""
    if keyword.startswith(b"Raw profile type"):
        digits = re.sub(rb"[^0-9a-fA-F]", b"", raw.partition(b"\n")[2].split(b"\n", 2)[-1])
        profile = bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
        return raw if _overwrite(profile, redactor) == profile else None
    text = raw.decode("utf-8", "surrogateescape")
    return _text(keyword.decode("latin-1"), text, redactor).encode("utf-8", "surrogateescape")


# ---- JPEG ------------------------------------------------------------------------------------------------------------


def _jpeg(data: bytes, redactor: Redactor) -> Iterator[bytes]:
    yield data[:2]
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF or marker in _BARE_MARKERS:
            yield data[position : position + 1 if marker == 0xFF else position + 2]
            position += 1 if marker == 0xFF else 2
            continue
        if marker == _EOI:
            break
        end = position + 2 + struct.unpack_from(">H", data, position + 2)[0]
        if marker == _SOS:
            following = _AFTER_SCAN.search(data, end)
            end = following.start() if following else len(data)
            yield data[position:end]
        else:
            yield _jpeg_segment(marker, data[position:end], redactor)
        position = end
    yield _jpeg_tail(data, position, redactor)


def _jpeg_tail(data: bytes, position: int, redactor: Redactor) -> bytes:
    """The end marker, and what some cameras and all polyglots append to it."""
    return data[position : position + 2] + _overwrite(data[position + 2 :], redactor)


def _jpeg_segment(marker: int, segment: bytes, redactor: Redactor) -> bytes:
    body = segment[4:]
    if marker == _COM:
        return _sized(segment, _masked_bytes(body, redactor))
    if 0xE0 <= marker <= 0xEF:
        if body.startswith(_XMP):
            return _sized(segment, _XMP + _masked_bytes(body[len(_XMP) :], redactor))
        return segment[:4] + _overwrite(body, redactor)
    return segment


def _masked_bytes(body: bytes, redactor: Redactor) -> bytes:
    text = body.decode("utf-8", "surrogateescape")
    return redactor.text(text).encode("utf-8", "surrogateescape")


def _sized(segment: bytes, body: bytes) -> bytes:
    """The segment with a new body; what no longer fits into a segment's length is cut off."""
    body = body[:_LONGEST_SEGMENT]
    return segment[:2] + struct.pack(">H", len(body) + 2) + body


# ---- WebP ------------------------------------------------------------------------------------------------------------


def _webp(data: bytes, redactor: Redactor) -> Iterator[bytes]:
    position = 12
    while position + 8 <= len(data):
        kind, (length,) = data[position : position + 4], struct.unpack_from("<I", data, position + 4)
        end = position + 8 + length
        body = data[position + 8 : end]
        yield data[position : position + 8] + (body if kind in _WEBP_PIXELS else _overwrite(body, redactor))
        yield data[end : end + length % 2]
        position = end + length % 2
    yield _overwrite(data[position:], redactor)
