"""Names of files that came from outside: what a stored name may look like and which names are refused outright.

A name is refused when somebody may have meant it to reach another place or to look like another name; a character that
is merely awkward in URLs, shells or on other systems becomes ``_``. Touches no file.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import unquote

from isengard.datasets.limits import Refused

MAX_STEM_BYTES = 120
"""Longest stem of a stored name in UTF-8; with suffix and ending it fits every file system's 255."""

MAX_RAW = 1024
"""Longest name, with its folders, that is looked at; thousands of longer ones would cost minutes."""
_DRIVE = re.compile(r"[A-Za-z]:")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9¹²³])", re.IGNORECASE)
_PLAIN = frozenset(" ._-,()[]+=@~")
_JOINERS = {"\u200c", "\u200d"}  # needed to write several scripts


def clean_name(raw: str) -> str:
    """The name under which a file called `raw` may be stored, folders left off; raises `Refused` saying why not."""
    if len(raw) > MAX_RAW:
        raise Refused("the file name is too long")
    _refuse_invisible(raw)
    for spelling in _spellings(raw):
        _refuse_traversal(spelling)
    base = unicodedata.normalize("NFC", raw).replace("\\", "/").rsplit("/", 1)[-1].strip().rstrip(". ")
    if not base or base.startswith("."):
        raise Refused("the file name is empty or hidden" if base else "the file has no name")
    stem, suffix = split(base)
    if _RESERVED.fullmatch(base.split(".", 1)[0].rstrip()) or _RESERVED.fullmatch(stem.strip()):
        raise Refused("the file name is reserved by the operating system")
    plain = "".join(char if _is_plain(char) else "_" for char in stem)
    # A leading dash would read as an option where a name becomes an argument.
    kept = re.sub("^-", "_", _shorten(plain).strip())
    if not suffix:  # where it was cut, an ending or a dot may have come about
        kept, suffix = split(kept.rstrip(". "))
    return kept.strip() + suffix.lower()


def split(name: str) -> tuple[str, str]:
    """Stem and ending (with its dot) of a base name; an ending that is not a plain short one belongs to the stem."""
    path = PurePosixPath(name)
    if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", path.suffix):
        return path.stem, path.suffix
    return name, ""


def stem_key(name: str) -> str:
    """What two names have in common if some file system would give them one caption file."""
    folded = unicodedata.normalize("NFKC", split(name)[0]).casefold()
    return unicodedata.normalize("NFC", folded)


def numbered(stem: str, number: int) -> str:
    """The `number`-th spelling of a stem that is taken: 1 is the stem itself."""
    return stem if number == 1 else f"{stem}-{number}"


def shown(raw: str) -> str:
    """`raw` as it may be repeated in an answer or a log: short, and nothing in it that a terminal would act on."""
    text = "".join(char if _is_visible(char) else "\ufffd" for char in raw[:200])
    return text + ("…" if len(raw) > 200 else "")


def _spellings(raw: str) -> set[str]:
    """The name as different readers could understand it: percent-decoded to the end, compatibility forms resolved."""
    spellings = {raw}
    decoded = raw
    for _ in range(5):
        once = unquote(decoded, errors="replace")
        if once == decoded:
            break
        decoded = once
        spellings.add(decoded)
    if any(decoded.count(char) > raw.count(char) for char in "/\\\x00"):
        raise Refused("the file name hides a path in percent signs")
    return spellings | {unicodedata.normalize("NFKC", spelling) for spelling in spellings}


def _refuse_traversal(name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        raise Refused("the file name is an absolute path")
    if any(part.count(".") > 1 and not part.strip(". ") for part in parts):
        raise Refused("the file name leads out of its folder")
    if "\x00" in name:
        raise Refused("the file name holds a NUL character")


def _refuse_invisible(raw: str) -> None:
    for char in raw:
        if not _is_visible(char):
            raise Refused(f"the file name holds an invisible or control character (U+{ord(char):04X})")


def _is_visible(char: str) -> bool:
    """Not a control or format character (bidirectional marks among them), a surrogate or a line separator."""
    return char in _JOINERS or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _is_plain(char: str) -> bool:
    """Whether it stands in a stored name as it is: letters, marks and digits of every script and a few signs."""
    return char in _PLAIN or char in _JOINERS or unicodedata.category(char)[0] in "LMN"


def _shorten(stem: str) -> str:
    encoded = stem.encode("utf-8")
    return stem if len(encoded) <= MAX_STEM_BYTES else encoded[:MAX_STEM_BYTES].decode("utf-8", "ignore")
