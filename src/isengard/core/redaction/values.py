"""Values: what after a secret's name is plainly no secret (null, a number, ``${VAR}``, code), and what looks like one.

Judges single values; finds nothing by itself.
"""

from __future__ import annotations

import re

from isengard.core.redaction.names import Sensitivity
from isengard.core.redaction.views import COLOUR

FEW = 1_000
"""A number below this is no password: in a trainer's metadata it counts how often a tag occurs (``"password": 3``)."""

_LONGEST = 4_096
"""Characters of a value that are looked at."""

_NOTHING = re.compile(
    r"[\s,;:(){}\[\]\\\"']*|none|null|nil|true|false|undefined|nan|n/a|yes|no|on|off|unset|missing|required|optional|invalid|empty|hidden"
    r"|redacted|\[redacted\]|not|is|was|must|should|set|found|expired|expected"
    r"|\*+|x{3,}|[a-z]{0,8}[_-]?(?:\.{3,}|…)|•+|-+|_+|your[ _-].*|.*[_-]here",
    re.IGNORECASE,
)
_TYPE = re.compile(
    r"(?:str|string|bytes|int|bool|float|any|secretstr|secret(?=\[)|optional|union|object|list|dict|tuple|set|frozenset"
    r"|annotated|literal|callable|path|sequence|mapping|type)(?:\[.*|\s*\|.*)?",
    re.IGNORECASE | re.DOTALL,
)
_NUMBER = re.compile(r"[-+]?(?:\d{1,12}|\d{0,12}\.\d{1,20}|\d{1,20}(?:\.\d{0,20})?[eE][-+]?\d{1,3})%?")
_REFERENCE = re.compile(
    r"\$\{[^{}]*\}|\$(?:env:)?(?:[A-Z_][A-Z0-9_]*|[a-z_]+)|\$\([^()]*\)?|\$\{\{.*\}\}|\{\{.*\}\}|f?\{[^{}\"]*\}|%[A-Za-z_]\w*%|%s|%\(\w+\)s"
    r"|<[^<>]*>|!(?:vault|secret|env|ref|sub)\b.*|(?:os\.environ|os\.getenv|getenv|process\.env|getpass|secrets\.)\b.*",
    re.DOTALL,
)
_WORD = (
    r"(?:_{0,2}[a-z][a-z_]{0,60}(?:_?\d{1,2}){0,2}(?:_[a-z]{1,20}){0,2}|(?:[A-Z][a-z]{1,20}){1,6}|[A-Z][A-Z_]{1,60})"
)
_PATH = re.compile(rf"{_WORD}(?:\.{_WORD}){{0,8}}(?:\(\))?")
_EXPRESSION = re.compile(rf"{_WORD}(?:\.{_WORD}){{0,8}}[(\[].*", re.DOTALL)
_METHOD = re.compile(rf"(?:{_WORD}\.){{1,8}}{_WORD}\(.*", re.DOTALL)
_KEY_FILE = re.compile(
    r"(?:(?:~|\.{0,2}|[A-Za-z]:)[/\\])?[\w./\\ -]{1,400}"
    r"(?:\.(?:json|pem|key|crt|cer|der|p8|p12|pfx|ppk|jks|txt|env|ya?ml)|[/\\]id_[a-z0-9]{1,12})"
)
_FILE = re.compile(r"(?:~|\.{0,2}|[A-Za-z]:)[/\\][\w./\\ -]{0,400}")
_DATED = re.compile(r"(?:19|20)\d\d-?[01]\d-?[0-3]\d")
_ONE_TIME = re.compile(r"\d{3}[ -]?\d{3,5}")
_DIGIT = re.compile(r"\d")
_LETTER = re.compile(r"[^\W\d_]")
_SYMBOL = re.compile(r"[\W_]")
_SEPARATED = re.compile(r"[\s./\\:=,;()\[\]{}<>]")


def is_harmless(value: str, name: str, level: Sensitivity, *, quoted: bool) -> bool:
    """Whether `value`, found after `name` of `level`, is plainly no secret."""
    value = COLOUR.sub("", value[:_LONGEST]) if "[" in value else value[:_LONGEST]
    if not value or _NOTHING.fullmatch(value) or _REFERENCE.fullmatch(value):
        return True
    if level is not Sensitivity.STRONG and (
        _NUMBER.fullmatch(value) or (len(value) <= 2 and level is not Sensitivity.TOKEN)
    ):
        return not (quoted and len(value) > 5)
    if _names_a_place(value, name):
        return True
    return not quoted and is_code(value, name, level)


def is_code(value: str, name: str, level: Sensitivity) -> bool:
    """Whether an unquoted `value` is source code: a type, a call, ``self.api_key``, the variable of the same name."""
    bare, path = name.casefold().lstrip("-").rpartition(".")[2].strip("_"), value.casefold()
    if _TYPE.fullmatch(value) or path == bare:
        return True
    if _PATH.fullmatch(value) and ("." in value or value.endswith("()")):
        return level is not Sensitivity.STRONG or path.removesuffix("()").endswith(bare)
    return _METHOD.fullmatch(value) is not None or (
        level is not Sensitivity.STRONG and _EXPRESSION.fullmatch(value) is not None
    )


def _names_a_place(value: str, name: str) -> bool:
    """Whether a key's or credential's value is only the name of its file, or `PWD` is what shells call it."""
    if name in ("PWD", "OLDPWD"):
        return value.startswith(("/", "~"))
    return name.casefold().endswith(("key", "credentials", "credential")) and _KEY_FILE.fullmatch(value) is not None


def looks_secret(value: str) -> bool:
    """Whether `value` has the mixture of characters that words, paths and figures lack."""
    value = value[:_LONGEST]
    if len(value) < 6 or "://" in value or _NUMBER.fullmatch(value) or _FILE.fullmatch(value):
        return False
    if _DIGIT.search(value) and _LETTER.search(value):
        return True
    mixed = value.lower() != value != value.upper() and not value.istitle()
    symbols = _SYMBOL.search(value.rstrip(".,;:!?")) is not None
    return (mixed and len(value) >= 16) or (symbols and len(value) >= 12 and not _SEPARATED.search(value))


def looks_like_session(value: str) -> bool:
    """Whether `value` is a long random run, as servers hand out; not a number, and no name made of a date and time."""
    if len(value) < 16 or _DATED.match(value) or _SEPARATED.search(value.replace(".", "").replace(":", "")):
        return False
    return _DIGIT.search(value) is not None and _LETTER.search(value) is not None


def is_one_time(value: str) -> bool:
    """Whether `value` is what an authenticator shows: six to eight digits."""
    return _ONE_TIME.fullmatch(value) is not None


def looks_like_key(value: str) -> bool:
    """Whether `value` is one long run in which letters and digits are mixed, as a generated key is."""
    if len(value) < 16 or _SEPARATED.search(value):
        return False
    return _DIGIT.search(value) is not None and _LETTER.search(value) is not None
