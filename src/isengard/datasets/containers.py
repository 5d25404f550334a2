"""Rewrites PNG, JPEG and WebP files so that only the picture is left: no metadata, nothing behind the end.

The picture's own bytes are copied, not re-encoded, so nothing is lost. What is kept besides: the colour profile and the
orientation. A file that is also something else (an HTML page in a comment, a zip behind the last byte) is not that any
more afterwards. Decodes no pixels; `pictures.py` does.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from isengard.datasets.limits import Refused

PNG, JPEG, WEBP = "PNG", "JPEG", "WEBP"
SUFFIXES = {PNG: ".png", JPEG: ".jpg", WEBP: ".webp"}
MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = {b"IHDR": 13, b"PLTE": 768, b"tRNS": 256, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"sBIT": 4}
"""With the most bytes that each may have; what is longer holds something else."""
_MAX_PROFILE = 4 * 1024 * 1024
_TOO_EARLY = "it ends too early"
_MAX_PARTS = 100_000
"""Of a file. Encoders make a few; a picture of 50 MB in packed parts of 1 KiB has half as many."""
_MAX_SCANS = 64
"""Of a JPEG, whose every scan goes over all of the picture, however few bytes it has; encoders make up to a dozen."""

_OTHERS = (
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"8BPS", "Photoshop"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"qoif", "QOI"),
    (b"%!PS", "PostScript"),
)
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"hei": "HEIC", b"hev": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC"}
"""Of files in boxes, by how their brand begins; every other one is a video's."""


@dataclass(frozen=True, slots=True)
class Container:
    """A rewritten file and what its headers say.

    Attributes:
        frames: How many the original had; the rewritten file has one, unless `animated`.
        animated: The frames could not be taken apart without decoding; only WebP.
    """

    format: str
    data: bytes
    width: int
    height: int
    frames: int = 1
    animated: bool = False


def rewrite(data: bytes) -> Container:
    """The bare picture in `data`; raises `Refused` for another format or a damaged file."""
    try:
        if data.startswith(_PNG_MAGIC):
            return _png(data)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
    except (struct.error, IndexError, zlib.error) as error:
        raise Refused(f"the image is damaged: {_TOO_EARLY}") from error
    raise Refused(f"{_other(data)}; JPEG, PNG and WebP images are taken")


def _other(data: bytes) -> str:
    if not data:
        return "the file is empty"
    for magic, name in _OTHERS:
        if data.startswith(magic):
            return f"the file is {name}"
    if data[4:8] == b"ftyp":
        brand = next((name for start, name in _BRANDS.items() if data[8:12].startswith(start)), "a video")
        return f"the file is {brand}"
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in head:
        return "the file is SVG"
    if head.startswith((b"<!doctype", b"<html", b"<script", b"<?xml", b"<")):
        return "the file is HTML or XML"
    return "the file is not an image"


class _Parts:
    """Counts the parts of a file; a flood of them costs time, however small each is."""

    def __init__(self) -> None:
        self._found = 0

    def count(self) -> None:
        """One more; raises `Refused` for one too many."""
        self._found += 1
        if self._found > _MAX_PARTS:
            raise Refused(f"the image consists of more than {_MAX_PARTS} parts")


# --- PNG: https://www.w3.org/TR/png-3/ ---


def _png(data: bytes) -> Container:
    before, pixels = bytearray(), bytearray()
    width = height = 0
    frames, orientation = 1, 1
    for kind, body in _png_chunks(data):
        if kind == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
        elif kind == b"acTL":
            frames = struct.unpack(">I", body[:4])[0]
        elif kind == b"eXIf":
            orientation = exif_orientation(body)
        if (kind == b"IDAT" and body) or kind == b"IEND":
            pixels += _png_chunk(kind, body)
        elif len(body) <= _PNG_KEPT.get(kind, -1) or (kind == b"iCCP" and _profile_is_sane(body)):
            before += _png_chunk(kind, body)
    if orientation != 1:
        before += _png_chunk(b"eXIf", _exif(orientation))
    return Container(PNG, bytes(_PNG_MAGIC + before + pixels), width, height, frames)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks up to IEND, in order; raises `Refused` where order, length or checksum is wrong."""
    at = len(_PNG_MAGIC)
    kind, parts = b"", _Parts()
    while kind != b"IEND":
        parts.count()
        length = struct.unpack_from(">I", data, at)[0]
        first, kind = not kind, data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        checksum = struct.unpack_from(">I", data, at + 8 + length)[0]
        if zlib.crc32(body, zlib.crc32(kind)) != checksum:
            raise Refused(f"the image is damaged: wrong checksum in its part {kind.decode('ascii', 'replace')!r}")
        if first != (kind == b"IHDR"):
            raise Refused("the image is damaged: its parts are out of order")
        at += 12 + length
        yield kind, body


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _profile_is_sane(body: bytes) -> bool:
    """Whether a compressed colour profile has its signature and does not unpack to megabytes."""
    _name, _, packed = body.partition(b"\x00")
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], _MAX_PROFILE)
    except zlib.error:
        return False
    return profile[36:40] == b"acsp" and not unpacker.unconsumed_tail


# --- JPEG: ITU T.81; EXIF and ICC as APP segments ---

_MARKER = re.compile(rb"\xff+[^\xff]", re.DOTALL)
_BEHIND_A_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_STANDALONE = {0x01, *range(0xD0, 0xD8)}
_SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_JPEG_KEPT = _SOF | {0xC4, 0xCC, 0xDB, 0xDD, 0xDE, 0xDF, 0xDC}


def _jpeg(data: bytes) -> Container:
    head = bytearray(b"\xff\xd8")
    body = bytearray()
    width = height = 0
    orientation = 1
    scans = 0
    for marker, segment in _jpeg_segments(data):
        content = segment[4:]
        scans += marker == 0xDA
        if scans > _MAX_SCANS:
            raise Refused(f"the image is drawn in more than {_MAX_SCANS} scans, as no camera and no program does")
        if marker in _SOF:
            height, width = struct.unpack_from(">HH", segment, 5)
        if marker == 0xE0 and content[:5] == b"JFIF\x00":
            head += b"\xff\xe0\x00\x10" + content[:12] + b"\x00\x00"  # without the thumbnail
        elif marker == 0xE1 and content[:6] == b"Exif\x00\x00":
            orientation = exif_orientation(content[6:])
        elif marker == 0xEE and content[:5] == b"Adobe":
            body += b"\xff\xee\x00\x0e" + content[:12]  # says how colours are coded
        elif (marker == 0xE2 and content[:12] == b"ICC_PROFILE\x00") or marker in _JPEG_KEPT or marker == 0xDA:
            body += segment
    if orientation != 1:
        exif = b"Exif\x00\x00" + _exif(orientation)
        head += b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    return Container(JPEG, bytes(head + body + b"\xff\xd9"), width, height)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Markers with their whole segments up to the end of the (first) image; a scan's data belongs to its segment."""
    at, parts = 2, _Parts()
    while True:
        parts.count()
        found = _MARKER.match(data, at)  # behind fill bytes
        if found is None:
            raise Refused(f"the image is damaged: {'its parts are out of order' if at < len(data) else _TOO_EARLY}")
        at = found.end() - 2
        marker = data[at + 1]
        if marker == 0xD9:
            return
        if marker in _STANDALONE:
            at += 2
            continue
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        if end > len(data):
            raise Refused(f"the image is damaged: {_TOO_EARLY}")
        if marker == 0xDA:
            end = _scan_end(data, end)
        yield marker, data[at:end]
        at = end


def _scan_end(data: bytes, at: int) -> int:
    """Where the entropy-coded data ends: at the next marker that is no restart and no stuffed byte."""
    found = _BEHIND_A_SCAN.search(data, at)
    if found is None:
        raise Refused(f"the image is damaged: {_TOO_EARLY}")
    return found.start()


# --- WebP: https://developers.google.com/speed/webp/docs/riff_container ---

_VP8X_ICC, _VP8X_ALPHA, _VP8X_EXIF, _VP8X_ANIMATION = 0x20, 0x10, 0x08, 0x02


def _webp(data: bytes) -> Container:
    chunks = dict[bytes, bytes]()
    frames = 0
    for kind, body in _riff_chunks(data):
        frames += kind == b"ANMF"
        chunks.setdefault(kind, body)
    width, height = _webp_size(chunks)
    if frames:
        return Container(WEBP, data, width, height, frames, animated=True)
    orientation = exif_orientation(chunks.get(b"EXIF", b"").removeprefix(b"Exif\x00\x00"))
    kept: list[tuple[bytes, bytes]] = [
        (kind, chunks[kind]) for kind in (b"ICCP", b"ALPH", b"VP8 ", b"VP8L") if kind in chunks
    ]
    if orientation != 1:
        kept.append((b"EXIF", _exif(orientation)))
    if b"VP8X" in chunks:
        kept.insert(0, (b"VP8X", _vp8x({kind for kind, _ in kept}, chunks[b"VP8X"])))
    packed = b"".join(
        kind + struct.pack("<I", len(body)) + body + b"\x00" * (len(body) % 2)
        for kind, body in kept
        if b"VP8X" in chunks or kind in (b"VP8 ", b"VP8L")
    )
    return Container(WEBP, b"RIFF" + struct.pack("<I", len(packed) + 4) + b"WEBP" + packed, width, height)


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise Refused(f"the image is damaged: {_TOO_EARLY}")
    at, parts = 12, _Parts()
    while at + 8 <= end:
        parts.count()
        kind, length = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if at + 8 + length > end:
            raise Refused("the image is damaged: its parts overlap its end")
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _vp8x(kept: set[bytes], original: bytes) -> bytes:
    flags = original[0] & _VP8X_ALPHA
    flags |= _VP8X_ICC if b"ICCP" in kept else 0
    flags |= _VP8X_EXIF if b"EXIF" in kept else 0
    return bytes([flags, 0, 0, 0]) + original[4:10]


def _webp_size(chunks: dict[bytes, bytes]) -> tuple[int, int]:
    if b"VP8X" in chunks:
        size = chunks[b"VP8X"]
        return 1 + int.from_bytes(size[4:7], "little"), 1 + int.from_bytes(size[7:10], "little")
    if b"VP8L" in chunks:
        bits = struct.unpack_from("<I", chunks[b"VP8L"], 1)[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if b"VP8 " in chunks:
        width, height = struct.unpack_from("<HH", chunks[b"VP8 "], 6)
        return width & 0x3FFF, height & 0x3FFF
    raise Refused("the image is damaged: it holds no picture")


# --- EXIF: only the orientation is ever read or written ---


def exif_orientation(tiff: bytes) -> int:
    """The orientation (1 to 8) in a TIFF structure; 1 where there is none or it cannot be read."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        first = struct.unpack_from(f"{order}I", tiff, 4)[0]
        count = struct.unpack_from(f"{order}H", tiff, first)[0]
        for number in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, first + 2 + 12 * number)
            if tag == 0x0112 and kind == 3:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _exif(orientation: int) -> bytes:
    """The smallest TIFF structure that says `orientation`."""
    return b"MM\x00*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
