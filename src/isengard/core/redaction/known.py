"""Known values: the secrets given to a job, masked wherever they show up and however they are written.

A value is expanded into every spelling it may take (`spellings`); the text is searched for all of them at once. Values
shorter than 8 characters are not searched for: they would mask ordinary words.
"""

from __future__ import annotations

import base64
import html
import json
import quopri
import re
import shlex
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, chain
from string import ascii_lowercase, ascii_uppercase
from urllib.parse import quote, quote_plus, urlsplit

from ahocorasick_rs import AhoCorasick, Implementation

from isengard.core.redaction.names import Sensitivity, names_a_secret
from isengard.core.redaction.rules import Segment
from isengard.core.redaction.spans import MARK, Span
from isengard.core.redaction.values import is_harmless
from isengard.core.redaction.views import FILLING, LINE_BREAK, View

SHORTEST = 8
"""Known values shorter than this many characters are left alone."""

_TILE = 8
_SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)
_TILED = 96
"""Only this many characters of a spelling are cut into tiles: whoever shows a value shows its beginning."""

_PART = 512
_IN_EVERY_SPELLING = 16_384
"""Characters of all values together that are looked for in every spelling: each takes fifteen kilobytes of memory.

The shortest values come first, as tokens and passwords are; what is beyond is looked for as programs mostly write it.
"""

_HEAD = 2
"""Characters of a value that must stand at the end of a line for the next one to be looked at with it."""


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
    yield html.escape(text).replace("/", "&#x2F;").replace("=", "&#x3D;").replace("`", "&#x60;")
    for number in ("&#{};", "&#x{:x};", "&#x{:X};"):
        yield "".join(number.format(ord(character)) for character in text)


def _shell_forms(text: str) -> Iterator[str]:
    yield shlex.quote(text)[1:-1] if shlex.quote(text) != text else text
    yield text.replace("'", r"'\''")
    yield re.sub(r"([\"$`\\])", r"\\\1", text)
    yield re.sub(r"([^A-Za-z0-9_@%+=:,./-])", r"\\\1", text)
    yield re.sub(r"([^\w@%+=:,./-])", r"\\\1", text)
    yield text.replace("\\", "\\\\").replace("'", r"\'")


def _json_forms(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        form = text
        for _ in range(3):
            form = json.dumps(form, ensure_ascii=ascii_only)[1:-1]
            yield form
            yield form.replace("/", r"\/")
            yield form.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")
            yield re.sub(r"\\u([0-9a-f]{4})", lambda match: match[0].upper().replace("\\U", "\\u"), form)
    yield "".join(f"\\u{ord(character):04x}" for character in text)


def _hex_forms(raw: bytes) -> Iterator[str]:
    plain = raw.hex()
    for form in (plain, plain.upper()):
        pairs = [form[index : index + 2] for index in range(0, len(form), 2)]
        yield form
        for joint in (":", " ", "-", r"\x", ", 0x", ",0x"):
            yield joint.join(pairs)


def _cases(text: str) -> Iterator[str]:
    """All large and all small, as hosts, headers and file systems make it; not of what may be a plain word."""
    if len(text) >= 2 * SHORTEST or any(character.isdigit() for character in text):
        yield from (text.upper(), text.lower())


def _byte_forms(raw: bytes) -> Iterator[str]:
    r"""``\150\146`` of git and C, quoted-printable of mails, base32."""
    yield "".join(f"\\{byte:03o}" for byte in raw)
    yield quopri.encodestring(raw).decode().replace("=\n", "")
    yield base64.b32encode(raw).decode().rstrip("=")[:-1]


def spellings(value: str) -> set[str]:
    """Every spelling of `value`: clear, URL-, JSON-, XML-, HTML- and shell-escaped, hexadecimal, base64 …"""
    raw = value.encode("utf-8", "surrogatepass")
    forms = chain(
        (value, repr(value)[1:-1], repr(raw)[2:-1], ascii(value)[1:-1]),
        (value.replace('"', '""'), value.replace("'", "''")),
        _cases(value),
        _byte_forms(raw),
        _percent_forms(value),
        _markup_forms(value),
        _shell_forms(value),
        _json_forms(value),
        _hex_forms(raw),
        _base64_forms(raw),
    )
    return {form for once in set(forms) for form in (once, *_nested(once)) if len(form) >= SHORTEST}


def plain_spellings(value: str) -> set[str]:
    """The spellings that show most: clear, in JSON and reprs, in URLs, hexadecimal, base64 at its three alignments."""
    raw = value.encode("utf-8", "surrogatepass")
    forms = chain(
        (value, repr(value)[1:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]),
        (quote(raw, safe=""), quote(raw), raw.hex(), raw.hex().upper()),
        _base64_forms(raw),
    )
    return {form for form in forms if len(form) >= SHORTEST}


def _nested(form: str) -> Iterator[str]:
    """What the usual encoders make of a spelling: JSON of base64, a query of JSON, HTML in HTML …"""
    yield json.dumps(form, ensure_ascii=False)[1:-1]
    yield json.dumps(form)[1:-1]
    yield quote(form.encode("utf-8", "surrogatepass"), safe="")
    yield html.escape(form)


def _wrappable(value: str) -> Iterator[str]:
    """The spellings that tools break into lines."""
    raw = value.encode("utf-8", "surrogatepass")
    yield from (value, raw.hex(), quote(raw, safe=""))
    yield from _base64_forms(raw)


def _beheaded(value: str) -> Iterator[str]:
    """What stands on the second line if only the first character stood on the line before."""
    for form in _wrappable(value):
        for part in (form[1:], FILLING.sub("", form)[1:]):
            if len(part) > SHORTEST:
                yield part


def _lines(value: str) -> Iterator[str]:
    """The value and, if it has several lines, each of them."""
    yield value
    if "\n" in value:
        yield from (line.strip() for line in value.splitlines())


def _parts(line: str) -> Iterator[str]:
    """The value, or if it is too long to be spelled out as one, the parts it is made of."""
    for start in range(0, len(line), _PART):
        part = line[start : start + _PART] if start + _PART <= len(line) else line[-_PART:]
        if _is_searchable(part):
            yield part


def _within_budget(values: Iterable[str]) -> tuple[list[str], list[str]]:
    """The values to be looked for in every spelling, and the others."""
    ordered = sorted(values, key=lambda value: (len(value), value))
    ends = list(accumulate(map(len, ordered)))
    count = bisect_right(ends, _IN_EVERY_SPELLING)
    return ordered[:count], ordered[count:]


class KnownValues:
    """Finds known values in every spelling, also broken over lines.

    Args:
        values: The secrets in clear.
    """

    def __init__(self, values: Iterable[str]) -> None:
        wanted = {part for value in values for line in _lines(value.strip()) for part in _parts(line)}
        self._values, others = _within_budget(wanted)
        found = {form for value in self._values for form in (*spellings(value), *_beheaded(value))}
        forms = sorted(found.union(*map(plain_spellings, others)))
        self.literals = tuple(sorted(set(chain.from_iterable(map(_tiles, forms)))))
        self._automaton = _automaton(forms)
        bare = {FILLING.sub("", form) for form in forms}
        self._bare_automaton = _automaton(sorted(form for form in bare if len(form) >= SHORTEST))

    def find(self, segment: Segment) -> Iterator[Span]:
        """Every spelling in the segment, also broken over lines."""
        for start, end in _occurrences(self._automaton, segment.text):
            yield Span(start, end, "known-value", MARK)
        yield from self._broken(segment.text, LINE_BREAK, self._automaton)
        yield from self._broken(segment.text, FILLING, self._bare_automaton)

    def _broken(self, text: str, pattern: re.Pattern[str], automaton: AhoCorasick) -> Iterator[Span]:
        view = View(text, pattern)
        if not view.changes and pattern is LINE_BREAK:
            return
        for start, end in _occurrences(automaton, view.text):
            yield Span(view.start(start), view.end(end), "known-value", MARK)

    @cached_property
    def _beginnings(self) -> dict[str, list[str]]:
        """The beginnings of the spellings that are likely to be wrapped, by their last characters."""
        index: dict[str, set[str]] = {}
        for value in self._values:
            for form in {FILLING.sub("", form) for form in _wrappable(value)}:
                for length in range(_HEAD, len(form)):
                    index.setdefault(form[length - _HEAD : length], set()).add(form[:length])
        return {ending: sorted(beginnings, key=len) for ending, beginnings in index.items()}

    def may_continue(self, text: str) -> bool:
        """Whether `text` ends within a known value, so that the next line may hold the rest of it."""
        if FILLING.sub("", text[-64:])[-1:] not in self._last_characters:
            return False
        bare = FILLING.sub("", text[-self._tail :])
        return any(bare.endswith(beginning) for beginning in self._beginnings.get(bare[-_HEAD:], ()))

    @cached_property
    def _tail(self) -> int:
        """Characters at the end of a text in which a broken beginning has room, line breaks included."""
        longest = max((len(part) for parts in self._beginnings.values() for part in parts), default=0)
        return 2 * longest + 64

    @cached_property
    def _last_characters(self) -> frozenset[str]:
        return frozenset(ending[-1] for ending in self._beginnings)


def _automaton(forms: Sequence[str]) -> AhoCorasick:
    """Of the kind that is built in time with the forms' length: the other takes seconds for one repeated character."""
    return AhoCorasick(forms, implementation=Implementation.ContiguousNFA)


def _occurrences(automaton: AhoCorasick, text: str) -> Iterator[tuple[int, int]]:
    if not text.isascii():  # bytes that are no UTF-8 come as surrogates, which the automaton refuses; lengths stay
        text = text.encode("utf-8", "replace").decode("utf-8")
    """Where `automaton` matches; overlapping matches as one."""
    first = last = -1
    for _, start, end in automaton.find_matches_as_indexes(text, overlapping=True):
        if start >= last:
            if last >= 0:
                yield first, last
            first = start
        first, last = min(first, start), max(last, end)
    if last >= 0:
        yield first, last


def _is_searchable(line: str) -> bool:
    return len(line) >= SHORTEST and line not in MARK


def _tiles(form: str) -> Iterator[str]:
    """Pieces of a spelling of which one stays whole if it is broken once, or into lines of 16 characters or more."""
    size = _TILE if len(form) >= 2 * _TILE else len(form) // 2
    for start in range(0, min(len(form), _TILED) - size + 1, size):
        yield form[start : start + size].translate(_SMALL)
