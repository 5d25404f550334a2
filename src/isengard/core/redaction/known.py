"""Known values: the secrets given to a job, masked wherever they show up and however they are written.

A value is expanded into every spelling it may take (`spellings`); the text is searched for all of them at once. Values
shorter than 8 characters are not searched for: they would mask ordinary words.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from urllib.parse import quote, quote_plus, urlsplit

from ahocorasick_rs import AhoCorasick

from isengard.core.redaction.names import Sensitivity, names_a_secret
from isengard.core.redaction.rules import Segment
from isengard.core.redaction.spans import MARK, Span
from isengard.core.redaction.values import is_harmless

SHORTEST = 8
"""Known values shorter than this many characters are left alone."""

_TILE = 8
_GAP = re.compile(r"[\"']?[ \t]*\\?(?:\r?\n|(?:\\{1,4}r)?\\{1,4}n)+[ \t]*[\"']?")


def known_from_environment(environment: Mapping[str, str]) -> list[str]:
    """The values in `environment` that are secrets: by their names, and the passwords of URLs."""
    found: dict[str, None] = {}
    for name, value in environment.items():
        level_hit = names_a_secret(name) and not is_harmless(value, name, Sensitivity.NORMAL, quoted=False)
        if level_hit and len(value) >= SHORTEST and not value.startswith(("/", "~")):
            found[value] = None
        password = _password_of_url(value)
        if password and len(password) >= SHORTEST:
            found[password] = None
    return list(found)


def _password_of_url(value: str) -> str | None:
    if "://" not in value or "@" not in value:
        return None
    try:
        return urlsplit(value).password
    except ValueError:
        return None


def _base64_forms(raw: bytes) -> Iterator[str]:
    """What of `raw` is certain in base64 at each of the three alignments, in both alphabets."""
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + raw).decode()
        first = (lead * 8 + 5) // 6
        last = (lead + len(raw)) * 8 // 6
        form = encoded[first:last]
        yield form
        yield form.replace("+", "-").replace("/", "_")
        yield form.replace("/", r"\/")


def _percent_forms(text: str) -> Iterator[str]:
    encoded = text.encode("utf-8", "surrogatepass")
    for safe in ("", "/", "!'()*~", ";,/?:@&=+$!*'()#~", "/:@"):
        form = quote(encoded, safe=safe)
        yield form
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), form)
        yield quote(form, safe="")
    yield quote_plus(encoded)
    yield "".join(f"%{byte:02X}" for byte in encoded)
    yield "".join(f"%{byte:02x}" for byte in encoded)


def _markup_forms(text: str) -> Iterator[str]:
    escaped = html.escape(text, quote=False)
    yield escaped
    for double, single in (
        ("&quot;", "&#x27;"),
        ("&quot;", "&#39;"),
        ("&quot;", "&apos;"),
        ("&#34;", "&#39;"),
        ("&quot;", "'"),
    ):
        yield escaped.replace('"', double).replace("'", single)
    yield "".join(f"&#{ord(character)};" for character in text)


def _shell_forms(text: str) -> Iterator[str]:
    yield shlex.quote(text)[1:-1] if shlex.quote(text) != text else text
    yield text.replace("'", r"'\''")
    yield re.sub(r"([\"$`\\])", r"\\\1", text)
    yield re.sub(r"([^A-Za-z0-9_@%+=:,./-])", r"\\\1", text)
    yield text.replace("\\", "\\\\").replace("'", r"\'")


def _json_forms(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        form = text
        for _ in range(3):
            form = json.dumps(form, ensure_ascii=ascii_only)[1:-1]
            yield form
            yield form.replace("/", r"\/")
            yield re.sub(r"\\u([0-9a-f]{4})", lambda match: match[0].upper().replace("\\U", "\\u"), form)
    yield "".join(f"\\u{ord(character):04x}" for character in text)


def _hex_forms(raw: bytes) -> Iterator[str]:
    plain = raw.hex()
    for form in (plain, plain.upper()):
        pairs = [form[index : index + 2] for index in range(0, len(form), 2)]
        yield form
        for joint in (":", " ", "-", r"\x", ", 0x", ",0x"):
            yield joint.join(pairs)


def spellings(value: str) -> set[str]:
    """Every spelling of `value`: clear, URL-, JSON-, XML-, HTML- and shell-escaped, hexadecimal, base64."""
    raw = value.encode("utf-8", "surrogatepass")
    forms = chain(
        (value, repr(value)[1:-1]),
        _percent_forms(value),
        _markup_forms(value),
        _shell_forms(value),
        _json_forms(value),
        _hex_forms(raw),
        _base64_forms(raw),
    )
    nested = [spelling for form in set(forms) for spelling in (form, json.dumps(form, ensure_ascii=False)[1:-1])]
    return {form for form in nested if len(form) >= SHORTEST}


def _lines(value: str) -> Iterator[str]:
    """The value and, if it has several lines, each of them."""
    yield value
    for line in value.splitlines():
        if line.strip() != value:
            yield line.strip()


class KnownValues:
    """Finds known values in every spelling, also broken over lines.

    Args:
        values: The secrets in clear.
    """

    def __init__(self, values: Iterable[str]) -> None:
        stripped = {line for value in values for line in _lines(value.strip()) if _is_searchable(line)}
        self._spellings = sorted({form for value in stripped for form in spellings(value)})
        self.literals = tuple(sorted(set(chain.from_iterable(map(_tiles, self._spellings)))))
        self._automaton = AhoCorasick(self._spellings)
        self._heads = {form[:3] for form in self._spellings}
        self.longest = max(map(len, self._spellings), default=0)

    def find(self, segment: Segment) -> Iterator[Span]:
        """Every spelling in the segment, looked for with line breaks taken out."""
        squeezed, gaps = _squeeze(segment.text)
        for _, start, end in self._automaton.find_matches_as_indexes(squeezed, overlapping=True):
            yield Span(_original(start, gaps, after=True), _original(end, gaps, after=False), "known-value", MARK)

    def may_continue(self, text: str) -> bool:
        """Whether `text` ends within a known value, so that the next line may hold the rest of it."""
        tail, _ = _squeeze(text[-2 * self.longest :])
        tail = tail.rstrip("\r\n\\ \t\"'")[-self.longest :]
        for head in self._heads:
            position = tail.find(head)
            while position >= 0:
                rest = tail[position:]
                if any(form.startswith(rest) and form != rest for form in self._spellings):
                    return True
                position = tail.find(head, position + 1)
        return False


def _is_searchable(line: str) -> bool:
    return len(line) >= SHORTEST and line not in MARK


def _tiles(form: str) -> Iterator[str]:
    """Pieces of a spelling of which one stays whole if it is broken once, or into lines of 16 characters or more."""
    size = _TILE if len(form) >= 2 * _TILE else len(form) // 2
    for start in range(0, len(form) - size + 1, size):
        yield form[start : start + size].lower()


def _squeeze(text: str) -> tuple[str, list[tuple[int, int]]]:
    """`text` without its line breaks, and where they were: (position in the result, characters removed up to there)."""
    if "\n" not in text and "\\" not in text:
        return text, []
    pieces, gaps, position, removed, length = [], [], 0, 0, 0
    for gap in _GAP.finditer(text):
        pieces.append(text[position : gap.start()])
        length += gap.start() - position
        removed += gap.end() - gap.start()
        gaps.append((length, removed))
        position = gap.end()
    pieces.append(text[position:])
    return "".join(pieces), gaps


def _original(position: int, gaps: list[tuple[int, int]], *, after: bool) -> int:
    """The place in the original text; a place at a gap is `after` it or before it."""
    shift = 0
    for at, removed in gaps:
        if at > position or (at == position and not after):
            break
        shift = removed
    return position + shift
