"""Groups: several secrets under one name (``"api_keys": ["…", "…"]``, ``"secrets": {…}``), and a name that stands as a
value beside its own value (``{"name": "HF_TOKEN", "value": "…"}``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from isengard.core.redaction.names import Sensitivity, sensitivity
from isengard.core.redaction.notation import QUOTE, Value, indent_of, name_start, start_of_line, value_at
from isengard.core.redaction.rules import Segment
from isengard.core.redaction.spans import MASK, Span
from isengard.core.redaction.values import is_harmless

_REACH = 8_192
"""Characters of a group that are looked at."""

_LIST = re.compile(
    rf"(?i)(keys?|tokens?|passwords?|secrets?|credentials)(?:{QUOTE})?[ \t]{{0,8}}[:=]"
    r"[ \t\r\n]{0,16}\["
)
_ITEM_GAP = re.compile(r"[\s,]{0,64}")
_YAML_LIST = re.compile(
    r"(?i)(?<![A-Za-z0-9_.-])([A-Za-z0-9_.-]{0,64}(?:keys|tokens|passwords|secrets|credentials))"
    rf"(?:{QUOTE})?[ \t]{{0,8}}:[ \t]{{0,8}}\r?\n(?=[ \t]*-[ \t])"
)
_YAML_ITEM = re.compile(r"([ \t]*)-[ \t]{1,8}([^\r\n]{1,4096})(?:\r?\n|$)")
_MAPPING = re.compile(rf"(?i)(?<![A-Za-z0-9])(?:secrets|credentials)(?:{QUOTE})?[ \t]{{0,8}}[:=][ \t\r\n]{{0,16}}\{{")
_ENTRY = re.compile(rf"[\s,]{{0,64}}(?:{QUOTE})?([\w.-]{{1,128}})(?:{QUOTE})?[ \t]{{0,8}}[:=][ \t\r\n]{{0,16}}")
_DESCRIBED = re.compile(
    rf"(?i)(?<![A-Za-z0-9])(?:name|key|variable|env|header)(?:{QUOTE})?[ \t]{{0,8}}[:=][ \t]{{0,8}}(?:{QUOTE})?"
    rf"([\w.-]{{1,96}})(?:{QUOTE})?[ \t]{{0,8}}[,;]?[\s-]{{0,64}}"
    rf"(?:{QUOTE})?(?:value|val)(?:{QUOTE})?[ \t]{{0,8}}[:=][ \t]{{0,8}}"
)
_INVALID = re.compile(
    rf"(?i)(?:{QUOTE})?loc(?:{QUOTE})?[ \t]{{0,8}}[:=]\s{{0,16}}[\[(][^\])\n]{{0,200}}?"
    rf"(?:{QUOTE})([\w.-]{{1,96}})(?:{QUOTE}),?\s{{0,32}}[\])]"
    rf"[^\n]{{0,400}}?(?:{QUOTE})input(?:{QUOTE})[ \t]{{0,8}}:[ \t]{{0,8}}"
    r"|(?m:^)[ \t]{0,16}([\w.-]{1,96})[ \t]{0,8}\r?\n[ \t]{1,16}[^\n]{0,300}?\[type=[^\n]{1,200}?\binput_value="
)
"""What pydantic and FastAPI say of a bad value: its place, and the value itself."""
_KAGGLE = re.compile(
    rf"username{QUOTE}[ \t]{{0,8}}:[ \t]{{0,8}}{QUOTE}[^\"'\\\s]{{1,128}}{QUOTE}\s{{0,16}},\s{{0,16}}"
    rf"{QUOTE}key{QUOTE}[ \t]{{0,8}}:[ \t]{{0,8}}{QUOTE}([^\"'\\\s]{{8,256}})"
)


class Groups:
    """Finds the members of lists and mappings of secrets."""

    literals = ("keys", "_key", "token", "password", "secret", "credentials")

    def find(self, segment: Segment) -> Iterator[Span]:
        """One span a member."""
        text = segment.text
        for match in _LIST.finditer(text):
            name = text[name_start(text, match.start()) : match.end(1)]
            if sensitivity(name) >= Sensitivity.NORMAL:
                yield from _members(text, match, name)
        for match in _MAPPING.finditer(text):
            yield from _entries(text, match)
        for match in _YAML_LIST.finditer(text):
            if sensitivity(match[1]) >= Sensitivity.NORMAL and match[1].lower() != "secrets":
                yield from _yaml_items(text, match, match[1])


class DescribedValues:
    """Finds the value beside a secret's name that is itself a value."""

    literals = ("value", "val=", 'val"', "val:", "username", "loc")

    def find(self, segment: Segment) -> Iterator[Span]:
        """One span a pair."""
        for match in _DESCRIBED.finditer(segment.text):
            level = sensitivity(match[1])
            value = value_at(segment.text, match.end()) if level >= Sensitivity.NORMAL else None
            if value and not is_harmless(segment.text[value.start : value.end], match[1], level, quoted=True):
                yield _span(value, match.start())
        for match in _INVALID.finditer(segment.text):
            name = match[1] or match[2]
            value = value_at(segment.text, match.end()) if sensitivity(name) >= Sensitivity.NORMAL else None
            if value and not is_harmless(segment.text[value.start : value.end], name, Sensitivity.NORMAL, quoted=True):
                yield _span(value, match.start())
        for match in _KAGGLE.finditer(segment.text):
            yield Span(match.start(1), match.end(1), "name", MASK, match.start())


def _span(value: Value, context: int) -> Span:
    return Span(value.start, value.end, "name", MASK, context)


def _members(text: str, opening: re.Match[str], name: str) -> Iterator[Span]:
    """The quoted members of a list, as long as it is one of strings."""
    position, limit = opening.end(), opening.end() + _REACH
    while position < limit:
        gap = _ITEM_GAP.match(text, position)
        value = value_at(text, gap.end() if gap else position)
        if value is None or not value.quoted or value.end >= len(text):
            return
        if not is_harmless(text[value.start : value.end], name, Sensitivity.NORMAL, quoted=True):
            yield _span(value, opening.start())
        position = _after_quote(text, value.end)


def _entries(text: str, opening: re.Match[str]) -> Iterator[Span]:
    """The quoted values of a flat mapping."""
    position, limit = opening.end(), opening.end() + _REACH
    while position < limit:
        entry = _ENTRY.match(text, position)
        value = value_at(text, entry.end()) if entry else None
        if entry is None or value is None or not value.quoted:
            return
        if not is_harmless(text[value.start : value.end], entry[1], Sensitivity.NORMAL, quoted=True):
            yield _span(value, opening.start())
        position = _after_quote(text, value.end)


def _after_quote(text: str, end: int) -> int:
    quote = re.match(QUOTE, text[end : end + 24])
    return end + (quote.end() if quote else 1)


def _yaml_items(text: str, opening: re.Match[str], name: str) -> Iterator[Span]:
    indent = indent_of(text[start_of_line(text, opening.start()) : opening.start()])
    item = _YAML_ITEM.match(text, opening.end())
    while item and len(item[1]) >= indent:
        value = value_at(text, item.start(2))
        if value and not is_harmless(text[value.start : value.end], name, Sensitivity.NORMAL, quoted=value.quoted):
            yield _span(value, opening.start())
        item = _YAML_ITEM.match(text, item.end())
