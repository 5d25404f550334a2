"""Assignments: values that a name beside them says are secret (``HF_TOKEN=…``, ``"apiKey": "…"``, ``--password …``).

One scanner for env files, JSON at any depth of escaping, YAML, TOML, reprs, argument lists, command lines, queries and
XML. The name decides (`names`), the notation says where the value is (`notation`), and `values` lets through what is no
secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from isengard.core.redaction.found_names import KEYWORD, LITERALS, FoundName, name_at
from isengard.core.redaction.names import Sensitivity, sensitivity
from isengard.core.redaction.notation import (
    BLANK,
    QUOTE,
    Value,
    block_at,
    encoded_value_at,
    end_of_line,
    indent_of,
    scalar_at,
    start_of_line,
    value_at,
    whole,
)
from isengard.core.redaction.rules import Segment
from isengard.core.redaction.sources import credentials_of
from isengard.core.redaction.spans import MASK, Span
from isengard.core.redaction.values import (
    FEW,
    is_harmless,
    is_one_time,
    looks_like_key,
    looks_like_session,
    looks_secret,
)

_AFTER = re.compile(
    rf"(?i)(?P<quote>\"\"(?=:)|{QUOTE})?(?P<bracket>[\])]|\*{{1,2}}(?=[ \t]?[:=|]))?(?P<space>{BLANK}{{0,64}})"
    r"(?P<sep>:=|=>|={1,3}|:(?![:/])|%3D|%3A|,|>|[\uff1a\uff1d]|[|\u2502\u2503]|</[\w:.-]{1,64}>\s{0,64}<[^<>\n]{1,200}>)?"
)
_GAP = re.compile(rf"(?:{BLANK}|\\\r?\n){{0,64}}(?:\*{{1,2}}(?=[ \t]))?{BLANK}{{0,8}}")
_WIDE_GAP = re.compile(rf"(?:{BLANK}|\\?\r?\n){{0,64}}")
_YAML_PROPERTY = re.compile(r"(?:[&!][\w!.:/-]{1,80}[ \t]{1,8}){0,2}")
_ANNOTATION = re.compile(
    r"[ \t]{0,8}[A-Za-z_][\w.]{0,40}(?:\[[\w\[\], .|]{0,60}\])?(?:[ \t]{0,4}\|[ \t]{0,4}\w{1,20}){0,4}[ \t]{1,4}="
    r"[ \t]{0,8}"
)
_ALONE_ON_NEXT_LINE = re.compile(
    r"[ \t]{0,16}\r?\n([ \t]{1,64})(?=[^\s#({=]{1,4096}[ \t]{0,16}(?:\r?\n|$))(?![^\s]{1,64}:[\r\n])"
)
_SENTENCE = re.compile(
    r"(?i)to|or|and|if|is|are|for|with|flag|argument|option|in|on|when|was|has|must|can|the|a|an|from|as|parameter|value"
    r"|requires?|replaces?|will|cannot|should|not|only|because|but|so|then|by|at|of|it|this|that|which|via|instead"
    r"|before|after|without|into|environment|variable"
)
_JSON_NUMBER = re.compile(r"-?\d{1,400}(?:\.\d{1,400})?(?:[eE][-+]?\d{1,4})?")
_VARIABLE = re.compile(r"[A-Z]{2,32}(?:_[A-Z]{1,32}){1,8}")
"""The name of an environment variable, as in ``--secret HF_TOKEN``; without digits, so that it is no key."""

_TOKEN_VARIABLE = re.compile(r"(?:[a-z]{1,10}_){0,2}token|api_key")
_PLACEHOLDERS = frozenset(("KEY", "NAME", "STRING", "STR", "VALUE", "TEXT", "ID", "FILE", "PATH"))
_STATEMENT = re.compile(
    r"(?:^|[\s;&+\"'])(?:(?:ENV|ARG)[ \t]{1,4}"
    r"|(?:setx|setenv|(?:config|secrets?|env|variable)(?::|[ \t]{1,4})set)[ \t]{1,4}"
    r"|set[ \t]{1,4}(?:-{1,2}[A-Za-z]{1,10}[ \t]{1,4}){1,3})"
    r"[\"']?$"
)
_BODY = re.compile(r"(?:--(?:body|value|data|secret)|-b)[ =]?")
_MENTION = re.compile(
    r"[ ](?:(?:is|was|of|key|value)[ ])?[\"'`]?((?=[A-Za-z0-9]{0,512}[A-Za-z])[A-Za-z0-9]{6,512})(?![A-Za-z0-9_./\\-])"
)
_BAR = re.compile(r"[|\u2502\u2503][ \t]{0,8}[\"'`*]{0,2}$")
_BAR_AFTER = re.compile(r"[\"'`*]{0,2}[ \t]{0,256}[|\u2502\u2503]")
_ENDS_COLUMN = re.compile(r"[ \t]{2}|\t|[ \t]{0,16}(?:\r?\n|$)")
_ENDS_LINE = re.compile(
    rf"(?:{QUOTE})?[\])]?{BLANK}{{0,32}}(?::=|=>|={{1,3}}|[:,\uff1a\uff1d]|</\w{{1,32}}>)?{BLANK}{{0,32}}"
    r"(?:[&!][\w!.:/-]{1,80}[ \t]{0,8}){0,2}(?:\"{3}|'{3})?\\?[\r\n]{1,2}$"
)


class Assignments:
    """Finds values by the names beside them."""

    literals = LITERALS

    def find(self, segment: Segment) -> Iterator[Span]:
        """One span a value, in order."""
        text, done = segment.text, 0
        for keyword in KEYWORD.finditer(segment.shadow):
            if keyword.start() < done:
                continue
            name = name_at(segment.shadow, keyword)
            value = _value_after(text, name) if name.level else None
            if value:
                value = whole(text, value)
                done = value.end
                yield Span(value.start, value.end, "name", _mask_for(text, name, value), name.start)


def expects_value(line: str) -> bool:
    """Whether `line` ends with a secret's name, so that its value may stand on the next line."""
    tail = line[-256:]
    return any(
        _ENDS_LINE.match(tail, keyword.end()) is not None and bool(name_at(tail, keyword).level)
        for keyword in KEYWORD.finditer(tail)
    )


def _mask_for(text: str, name: FoundName, value: Value) -> str:
    """``***``, in quotes where a JSON number gives way to it."""
    quote = re.match(QUOTE, text[name.end : name.end + 16])
    is_json = quote is not None and not value.quoted and _JSON_NUMBER.fullmatch(text, value.start, value.end)
    return f"{quote[0]}{MASK}{quote[0]}" if quote and is_json else MASK


def _value_after(text: str, name: FoundName) -> Value | None:
    """The secret after `name`, if one follows in some notation."""
    after = _AFTER.match(text, name.end)
    if after is None:
        return None
    separator = (after["sep"] or "").lower()
    if separator in (":", "%3a", "\uff1a"):
        value = _mapped(text, name, after)
    elif separator == ",":
        value = _paired(text, name, after)
    elif separator == ">":
        value = _element(text, name, after)
    elif separator in ("|", "\u2502", "\u2503") or separator.startswith("<"):
        value = _cell(text, name, after)
    elif separator:
        value = _assigned(text, name, after)
    else:
        value = _argument(text, name, after)
    if value is None or value.end <= value.start:
        return None
    if name.level is Sensitivity.WEAK and name.text.lower().endswith("dsn"):
        return credentials_of(text, value)
    return value if _is_secret(text, name, value, after) else None


def _is_secret(text: str, name: FoundName, value: Value, after: re.Match[str]) -> bool:
    content, separator = text[value.start : value.end], after["sep"] or ""
    tight = (
        separator.lower() in ("=", "%3d")
        and not after["space"]
        and text[after.end() : after.end() + 1] not in (" ", "\t")
    )
    if name.level is Sensitivity.TOKEN and tight:
        return True
    if name.level is Sensitivity.WEAK and name.text.lower().endswith("otp") and is_one_time(content):
        return True
    if after["quote"] and not value.quoted and content.isdigit() and int(content) < FEW:
        return False
    if is_harmless(content, name.text, name.level, quoted=value.quoted):
        return False
    if name.level is Sensitivity.WEAK:
        return _looks_like_one(name.text.lower(), content)
    return value.quoted or not (_is_variable(text, value, name) if tight else _shares_name(content, name))


def _looks_like_one(name: str, content: str) -> bool:
    """Whether the value of a weak name has the look of what is kept under such a name."""
    if "key" in name:
        return looks_like_key(content)
    return looks_like_session(content) if name.endswith("id") else looks_secret(content)


def _is_variable(text: str, value: Value, name: FoundName) -> bool:
    """Whether ``hub_token=hf_token,`` hands on a variable, as a line of source code in a traceback does."""
    return (
        name.level is Sensitivity.NORMAL
        and text[value.end : value.end + 1] in (",", ")")
        and _TOKEN_VARIABLE.fullmatch(text, value.start, value.end) is not None
    )


def _shares_name(content: str, name: FoundName) -> bool:
    """Whether an unquoted value is a variable called like the name: ``loaded_token = token``."""
    bare, other = name.text.lower().rpartition(".")[2].strip("_-"), content.lower()
    return name.level is not Sensitivity.STRONG and (bare.endswith(f"_{other}") or other.endswith(f"_{bare}"))


def _skip(gap: re.Pattern[str], text: str, position: int) -> int:
    match = gap.match(text, position)
    return match.end() if match else position


def _opens_container(text: str, position: int) -> bool:
    return text[position : position + 1] in ("{", "[", "(") and text[position : position + 2] != "{{"


def _assigned(text: str, name: FoundName, after: re.Match[str]) -> Value | None:
    """``NAME=value``."""
    start = _skip(_GAP, text, after.end())
    if _opens_container(text, start):
        return None
    value = encoded_value_at(text, start) if after["sep"].startswith("%") else value_at(text, start)
    if value is not None and after["sep"] in ("==", "===") and not looks_secret(text[value.start : value.end]):
        return None
    return value


def _mapped(text: str, name: FoundName, after: re.Match[str]) -> Value | None:
    """``name: value`` of YAML, JSON, headers and prose; not the last parts of ``arn:…:secret:name``, but
    what follows ``WARNING:root:``."""
    if text[name.start - 1 : name.start] == ":" and text[after.end() : after.end() + 1] not in (" ", "\t"):
        return None
    annotation = _ANNOTATION.match(text, after.end())
    if annotation and not after["quote"]:
        value = value_at(text, annotation.end())
        return value if value and value.quoted else None  # what has no quotes there is an expression
    start = _skip(_YAML_PROPERTY, text, _skip(_GAP, text, after.end()))
    if text[start : start + 1] in ("\r", "\n"):
        start = _next_line(text, name, after, start)
    if start < 0 or _opens_container(text, start):
        return None
    if text[start : start + 1] in ("|", ">") and not after["quote"]:
        line_start = start_of_line(text, name.start)
        return block_at(text, start, indent_of(text[line_start : name.start])) or value_at(text, start)
    if after["quote"] == '""':
        return _doubled(text, start)
    value = value_at(text, start)
    return value if value is None or value.quoted or after["quote"] else _plain(text, name, value)


def _doubled(text: str, start: int) -> Value | None:
    """``""name"": ""x""`` of JSON in a cell of CSV."""
    end = text.find('""', start + 2, end_of_line(text, start)) if text.startswith('""', start) else -1
    return Value(start + 2, end, quoted=True) if end >= 0 else value_at(text, start)


def _next_line(text: str, name: FoundName, after: re.Match[str], start: int) -> int:
    """Where the value begins if it stands alone on the line after its name, else -1."""
    if after["quote"]:
        return _skip(_WIDE_GAP, text, start)
    alone = _ALONE_ON_NEXT_LINE.match(text, start)
    if alone is None:
        return -1
    at_start = not text[start_of_line(text, name.start) : name.start].strip(" \t-")
    value = value_at(text, alone.end())
    return alone.end() if at_start or (value and looks_secret(text[value.start : value.end])) else -1


def _plain(text: str, name: FoundName, value: Value) -> Value | None:
    """An unquoted value after ``name:``, which may also be the next word of a sentence."""
    before = text[max(start_of_line(text, name.start), name.start - 200) : name.start].strip(" \t-*#")
    ends_line = text[value.end : end_of_line(text, value.end)].strip(" \t,;)]}.\"'`")[:1] in ("", "#")
    if name.level is Sensitivity.STRONG:
        return value if before or ends_line else scalar_at(text, value.start)
    content = text[value.start : value.end]
    structural = not before or before[-1] in "{[(,;|&?="
    word = content.isalpha() or name.level is Sensitivity.TOKEN
    certain = looks_secret(content) or (structural and (ends_line or not word)) or (ends_line and not word)
    return value if certain else None


def _paired(text: str, name: FoundName, after: re.Match[str]) -> Value | None:
    """``'--token', 'x'`` of an argument list and ``(b'x-api-key', b'x')`` of a header list."""
    opening = text[max(0, name.start - 12) : name.start].rstrip("\"'`\\b")
    if not after["quote"] or not (name.is_flag or opening.endswith("(")):
        return None
    value = value_at(text, _skip(_WIDE_GAP, text, after.end()))
    if value is None or not value.quoted or text.startswith("--", value.start):
        return None
    word = text[value.start : value.end].replace("_", "")
    return None if word.islower() and word.isalpha() and not name.is_flag else value


def _element(text: str, name: FoundName, after: re.Match[str]) -> Value | None:
    """``<password>x</password>``."""
    if text[name.start - 1 : name.start] != "<" or after["quote"]:
        return None
    end = text.find("<", after.end(), after.end() + 4096)
    return Value(after.end(), end, quoted=True) if end >= 0 else None


def _cell(text: str, name: FoundName, after: re.Match[str]) -> Value | None:
    """``| HF_TOKEN | x |`` of a table, ``<key>HF_TOKEN</key><string>x</string>``: where the value fills its cell."""
    start = _skip(_GAP, text, after.end())
    if after["sep"].startswith("<"):
        end = text.find("<", start, start + 4096)
        value = Value(start, end, quoted=True) if end >= 0 and text[name.start - 1 : name.start] == ">" else None
    else:
        in_table = _BAR.search(text, max(0, name.start - 16), name.start)
        value = value_at(text, start) if in_table else None
        if value and not _BAR_AFTER.match(text, value.end):
            value = None
    return value if value and _fills(text, value) else None


def _in_column(text: str, name: FoundName, after: re.Match[str]) -> Value | None:
    """``HF_TOKEN      x`` of a listing: two gaps or a tab between them, and nothing behind the value."""
    gap = text[after.start("space") : after.end()]
    if after["quote"] or after["bracket"] or name.level < Sensitivity.NORMAL or not (len(gap) > 1 or gap == "\t"):
        return None
    value = value_at(text, after.end())
    alone = value and not value.quoted and _ENDS_COLUMN.match(text, value.end)
    return value if value and alone and _fills(text, value) else None


def _fills(text: str, value: Value) -> bool:
    content = text[value.start : value.end]
    return len(content) >= 8 and " " not in content and looks_secret(content)


def _argument(text: str, name: FoundName, after: re.Match[str]) -> Value | None:
    """``--token x`` of a command line, ``ENV HF_TOKEN x`` of a Dockerfile."""
    statement = _STATEMENT.search(text, max(0, name.start - 32), name.start)
    if after["bracket"] or not (name.is_flag or statement):
        return _mentioned(text, name, after) or _in_column(text, name, after)
    start = _skip(_GAP, text, after.end("quote") if after["quote"] else name.end)
    column = text[name.end : start].isspace() and "\n" not in text[name.end : start] and start > name.end + 1
    if statement:
        start = _skip(_BODY, text, start)
    if start == name.end or column or text[start : start + 1] in ("-", "|", "[", "]", ")"):
        return None
    value = value_at(text, start)
    if value is None or value.quoted:
        return value
    word = text[value.start : value.end]
    is_variable = name.level is not Sensitivity.STRONG and _VARIABLE.fullmatch(word)
    return None if is_variable or _SENTENCE.fullmatch(word) or _is_placeholder(word) else value


def _mentioned(text: str, name: FoundName, after: re.Match[str]) -> Value | None:
    """ "the token is 3f…" of prose: only a run that no word could be."""
    mention = _MENTION.match(text, name.end) if not after["quote"] and name.level >= Sensitivity.NORMAL else None
    if mention is None or not any(character.isdigit() for character in mention[1]):
        return None
    word = mention[1]
    strong = name.level is Sensitivity.STRONG
    certain = len(word) >= 20 or (strong and mention[0].startswith((" is ", " was ")))
    certain = certain or (strong and len(word) >= 8 and word.lower() != word != word.upper())
    return Value(mention.start(1), mention.end(1), quoted=True) if certain else None


def _is_placeholder(word: str) -> bool:
    """Whether a word is the name of a variable as usage lines show it: ``--token HF_TOKEN``."""
    last = word.rpartition("_")[2].rpartition("-")[2]
    return word.isupper() and (last in _PLACEHOLDERS or sensitivity(word) >= Sensitivity.NORMAL)
