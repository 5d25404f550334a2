"""Assignments: values that a name beside them says are secret (``HF_TOKEN=…``, ``"apiKey": "…"``, ``--password …``).

One scanner for env files, JSON at any depth of escaping, YAML, TOML, reprs, argument lists, command lines, queries and
XML. The name decides (`names`), the notation says where the value is (`notation`), and `values` lets through what is no
secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from isengard.core.redaction.names import _KEY_OWNERS, Sensitivity, sensitivity
from isengard.core.redaction.notation import QUOTE, Value, end_of_line, value_at
from isengard.core.redaction.rules import Segment
from isengard.core.redaction.spans import MASK, Span
from isengard.core.redaction.values import is_harmless, looks_secret

_KEYWORD = re.compile(
    r"(?i)(?:token|passwor[dt]|passwd|passphrase|passcode|sshpass|pwd|pass|secret|key|credential|auth|jwt|bearer|psk|sas"
    r"|otp|cred|pat|sessionid|sessid|string)(?:s|_?id)?(?:[_-]?\d{1,2})?(?![A-Za-z0-9_])(?!-[A-Za-z])"
)
_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_LONGEST_NAME = 96
_AFTER = re.compile(
    rf"(?i)(?P<quote>{QUOTE})?(?P<bracket>[\])])?[ \t]{{0,32}}(?P<sep>:=|=>|={{1,3}}|:(?![:/])|%3D|%3A|,|>)?"
)
_GAP = re.compile(r"(?:[ \t]|\\\r?\n){0,64}")
_WIDE_GAP = re.compile(r"(?:[ \t]|\\?\r?\n){0,64}")
_ANNOTATION = re.compile(
    r"[ \t]{0,8}[A-Za-z_][\w.]{0,40}(?:\[[\w\[\], .|]{0,60}\])?(?:[ \t]{0,4}\|[ \t]{0,4}\w{1,20}){0,4}[ \t]{1,4}=[ \t]{0,8}"
)
_SPACED_OWNER = re.compile(
    r"(?i)(?:api|access|secret|private|auth|bearer|refresh|encryption|signing|master|account)[ ]$"
)
_PROSE = re.compile(
    r"(?i)to|or|and|if|is|are|for|with|flag|argument|option|in|on|when|was|has|must|can|the|a|an|from|as|parameter|value"
)
_STATEMENT = re.compile(r"(?i)(?:^|[\s;&])(?:env|arg|setenv)[ \t]{1,4}$")
_NEXT_LINE = re.compile(r"[ \t]{0,16}\r?\n([ \t]{1,64})(?=[^\s#-])(?![\w.-]{1,64}:(?:\s|$))")


@dataclass(frozen=True, slots=True)
class _Name:
    """A name found in a text: where it stands and how much it says."""

    text: str
    start: int
    end: int
    level: Sensitivity

    @property
    def is_flag(self) -> bool:
        return self.text.startswith("-")


class Assignments:
    """Finds values by the names beside them."""

    literals = (
        *(
            "token",
            "passw",
            "passphrase",
            "passcode",
            "sshpass",
            "pwd",
            "_pass",
            "-pass",
            "pass=",
            'pass"',
            "pass'",
            "pass:",
        ),
        *(
            "secret",
            "_key",
            "-key",
            ".key",
            "credential",
            "auth",
            "jwt",
            "bearer",
            "psk",
            "sas",
            "otp",
            "cred",
            "sessid",
        ),
        *(
            "sessionid",
            "connectionstring",
            "connection_string",
            "_pat=",
            "_pat:",
            '_pat"',
            "_pat'",
            "_pat\\",
            "_pat ",
            "-pat",
        ),
        *(f"{owner}key" for owner in sorted(_KEY_OWNERS)),
        *(
            f"{owner} key"
            for owner in ("api", "access", "private", "auth", "encryption", "signing", "master", "account")
        ),
    )

    def find(self, segment: Segment) -> Iterator[Span]:
        """One span a value, in order."""
        text, done = segment.text, 0
        for keyword in _KEYWORD.finditer(segment.shadow):
            if keyword.start() < done:
                continue
            name = _name_at(segment.shadow, keyword)
            if name.level is Sensitivity.NONE:
                continue
            span = _span_after(text, name)
            if span:
                done = span.end
                yield span


def _name_at(shadow: str, keyword: re.Match[str]) -> _Name:
    before = shadow[max(0, keyword.start() - _LONGEST_NAME) : keyword.start()]
    start = keyword.start() - (len(before) - len(before.rstrip(_NAME_CHARACTERS)))
    text = shadow[start : keyword.end()]
    level = sensitivity(text)
    if level <= Sensitivity.WEAK or level is Sensitivity.TOKEN:
        owner = _SPACED_OWNER.search(shadow, max(0, start - 12), start)
        if owner and text.lower() in ("key", "keys", "token", "secret"):
            level = Sensitivity.NORMAL
    return _Name(text, start, keyword.end(), level)


def _span_after(text: str, name: _Name) -> Span | None:
    after = _AFTER.match(text, name.end)
    if after is None:
        return None
    separator = (after["sep"] or "").lower()
    if separator in (":", "%3a"):
        value = _mapped(text, name, after)
    elif separator == ",":
        value = _paired(text, name, after)
    elif separator == ">":
        value = _element(text, name, after)
    elif separator:
        value = _assigned(text, name, after, separator)
    else:
        value = _argument(text, name, after)
    if value is None or value.end <= value.start or not _is_secret(text, name, value, separator):
        return None
    return Span(value.start, value.end, "name", MASK, name.start)


def _is_secret(text: str, name: _Name, value: Value, separator: str) -> bool:
    if name.level is Sensitivity.TOKEN and separator in ("=", "%3d") and text[value.start] not in "{[(":
        return True
    content = text[value.start : min(value.end, value.start + 4096)]
    if name.level is Sensitivity.WEAK:
        return looks_secret(content) and not is_harmless(content, name.text, name.level, quoted=value.quoted)
    return not is_harmless(content, name.text, name.level, quoted=value.quoted)


def _skip(gap: re.Pattern[str], text: str, position: int) -> int:
    match = gap.match(text, position)
    return match.end() if match else position


def _opens_container(text: str, position: int) -> bool:
    return text[position : position + 1] in ("{", "[", "(") and text[position : position + 2] != "{{"


def _assigned(text: str, name: _Name, after: re.Match[str], separator: str) -> Value | None:
    start = _skip(_GAP, text, after.end())
    if _opens_container(text, start):
        return None
    value = value_at(text, start)
    compared = separator in ("==", "===") and value is not None
    return None if compared and not looks_secret(text[value.start : value.end]) else value  # type: ignore[union-attr]


def _mapped(text: str, name: _Name, after: re.Match[str]) -> Value | None:
    """``name: value`` of YAML, JSON, headers and prose."""
    annotation = _ANNOTATION.match(text, after.end())
    if annotation and not after["quote"]:
        return value_at(text, annotation.end())
    start = _skip(_GAP, text, after.end())
    wrapped = _NEXT_LINE.match(text, start) if after["quote"] is None else re.compile(r"\s{0,64}").match(text, start)
    if start < len(text) and text[start] in "\r\n":
        if wrapped is None:
            return None
        start = wrapped.end()
    if text[start : start + 1] in ("|", ">") and after["quote"] is None:
        return _block(text, name, start)
    if _opens_container(text, start):
        return None
    value = value_at(text, start)
    if value is None or value.quoted or after["quote"]:
        return value
    return _plain(text, name, value)


def _plain(text: str, name: _Name, value: Value) -> Value | None:
    """An unquoted value after ``name:``, which may also be the next word of a sentence."""
    line_start = text.rfind("\n", 0, name.start) + 1
    before = text[max(line_start, name.start - 200) : name.start].strip(" \t-*#")
    last = text[value.end : end_of_line(text, value.end)].strip(" \t,;)]}.\"'`")[:1] in ("", "#")
    if name.level is Sensitivity.STRONG:
        if not before and not last:
            return Value(value.start, _end_of_scalar(text, value.start), quoted=False)
        return value
    structural = not before or before[-1] in "{[(,;|&?="
    return (
        value
        if (structural and last)
        or (structural and name.level is not Sensitivity.TOKEN and not text[value.start : value.end].isalpha())
        or looks_secret(text[value.start : value.end])
        or (last and name.level is not Sensitivity.TOKEN)
        else None
    )


def _end_of_scalar(text: str, start: int) -> int:
    end = end_of_line(text, start)
    comment = text.find(" #", start, end)
    return start + len(text[start : end if comment < 0 else comment].rstrip())


def _block(text: str, name: _Name, start: int) -> Value | None:
    """The lines of a YAML block scalar: those indented deeper than its key."""
    header = re.compile(r"[|>][+-]?\d?[+-]?[ \t]{0,16}(?:#[^\n]*)?\r?\n").match(text, start)
    if header is None:
        return value_at(text, start)
    line_start = text.rfind("\n", 0, name.start) + 1
    indent = len(text[line_start : name.start]) - len(text[line_start : name.start].lstrip(" \t-"))
    position = end = header.end()
    first = -1
    while position < len(text):
        line_end = text.find("\n", position)
        line_end = len(text) if line_end < 0 else line_end
        line = text[position:line_end]
        if line.strip() and len(line) - len(line.lstrip(" \t")) <= indent:
            break
        if line.strip():
            first = position + len(line) - len(line.lstrip(" \t")) if first < 0 else first
            end = position + len(line.rstrip())
        position = line_end + 1
    return Value(first, end, quoted=False) if first >= 0 else None


def _paired(text: str, name: _Name, after: re.Match[str]) -> Value | None:
    """``'--token', 'x'`` of an argument list and ``(b'x-api-key', b'x')`` of a header list."""
    if not after["quote"]:
        return None
    opening = text[max(0, name.start - 12) : name.start].rstrip("\"'`\\b")
    if not name.is_flag and not opening.endswith("("):
        return None
    value = value_at(text, _skip(_WIDE_GAP, text, after.end()))
    if value is None or not value.quoted or text[value.start : value.start + 2] == "--":
        return None
    wordlike = (
        text[value.start : value.end].replace("_", "").islower()
        and text[value.start : value.end].replace("_", "").isalpha()
    )
    return None if wordlike and not name.is_flag else value


def _element(text: str, name: _Name, after: re.Match[str]) -> Value | None:
    """``<password>x</password>``."""
    if text[name.start - 1 : name.start] != "<" or after["quote"]:
        return None
    end = text.find("<", after.end(), after.end() + 4096)
    return Value(after.end(), end, quoted=False) if end >= 0 else None


def _argument(text: str, name: _Name, after: re.Match[str]) -> Value | None:
    """``--token x`` of a command line, ``ENV HF_TOKEN x`` of a Dockerfile."""
    statement = name.text.isupper() and _STATEMENT.search(text, max(0, name.start - 12), name.start)
    if not (name.is_flag or statement) or after["bracket"]:
        return None
    start = _skip(_WIDE_GAP, text, after.end())
    start = start if start > after.end() else _skip(_GAP, text, name.end)
    if start == name.end or text[start : start + 1] in ("-", "|", "[", "]", ")"):
        return None
    value = value_at(text, start)
    if value is None or value.quoted:
        return value
    word = text[value.start : value.end]
    metavar = word.isupper() and word.casefold().replace("-", "_").endswith(
        name.text.strip("-").casefold().replace("-", "_")
    )
    return None if _PROSE.fullmatch(word) or metavar else value


_EXPECTS = re.compile(rf"(?:{QUOTE})?[\])]?[ \t]{{0,32}}(?::=|=>|={{1,3}}|:|,)?[ \t]{{0,32}}\\?[\r\n]{{1,2}}$")


def expects_value(line: str) -> bool:
    """Whether `line` ends with a secret's name, so that its value may stand on the next line."""
    tail = line[-256:]
    last = None
    for last in _KEYWORD.finditer(tail):
        pass
    return last is not None and _EXPECTS.match(tail, last.end()) is not None and bool(_name_at(tail, last).level)
