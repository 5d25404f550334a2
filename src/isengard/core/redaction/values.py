"""Values: what after a secret's name is plainly no secret (null, a number, ``${VAR}``), and what looks like one.

Judges single values; finds nothing by itself.
"""

from __future__ import annotations

import re

from isengard.core.redaction.names import Sensitivity

_NOTHING = re.compile(
    r"(?:none|null|nil|true|false|undefined|nan|n/a|yes|no|on|off|unset|missing|required|optional|invalid|empty|hidden"
    r"|redacted|\[redacted\]|not|is|was|must|should|set|found|\*+|x{3,}|\.{3,}|…|•+|-+|_+)",
    re.IGNORECASE,
)
_TYPE = re.compile(r"(?:str|string|bytes|int|bool|float|Any|SecretStr|Secret|Optional|Union|object)\b(?:\[.*|\s*\|.*)?")
_NUMBER = re.compile(r"[-+]?(?:\d{1,12}|\d{0,12}\.\d{1,20}|\d+(?:\.\d*)?[eE][-+]?\d{1,3})")
_REFERENCE = re.compile(
    r"\$\{[^{}]*\}|\$[A-Za-z_]\w*|\$\([^()]*\)?|\{\{.{0,200}\}\}|\{[A-Za-z_]\w*\}|%[A-Za-z_]\w*%|%s|%\(\w+\)s"
    r"|<[^<>]{0,200}>|os\.environ.*|os\.getenv.*|getenv.*|getpass.*"
)
_CODE = re.compile(r"(?:[A-Za-z_]\w{0,80}\.){1,8}([A-Za-z_]\w{0,80})(?:\(\))?")
_KEY_FILE = re.compile(
    r"(?:~|\.{0,2}|[A-Za-z]:)[/\\].{0,400}(?:\.[a-z0-9]{1,5}|id_[a-z0-9]+)|[\w.-]+\.(?:json|pem|key|p12|ppk)"
)
_SPECIAL_TEXT = re.compile(r"<[^<>]*>|\[[A-Z_]+\]|</?s>")


def is_harmless(value: str, name: str, level: Sensitivity, *, quoted: bool) -> bool:
    """Whether `value`, found after `name` of `level`, is plainly no secret."""
    if not value or _REFERENCE.fullmatch(value) or _NOTHING.fullmatch(value):
        return True
    if level is not Sensitivity.STRONG and _NUMBER.fullmatch(value):
        return not (quoted and len(value) > 5)
    return (not quoted and _is_code(value, name)) or _names_a_file(value, name)


def _is_code(value: str, name: str) -> bool:
    """Whether an unquoted `value` is source code: a type, the variable of the same name, ``self.api_key``."""
    if _TYPE.fullmatch(value) or value.casefold() == name.casefold().lstrip("-"):
        return True
    path = _CODE.fullmatch(value)
    return path is not None and path[1].casefold().endswith(name.casefold().lstrip("-_"))


def _names_a_file(value: str, name: str) -> bool:
    lowered = name.casefold()
    return lowered.endswith(("key", "credentials", "credential")) and _KEY_FILE.fullmatch(value) is not None


def looks_secret(value: str) -> bool:
    """Whether `value` has the mixture of characters that made-up words, paths and figures lack."""
    if len(value) < 6 or "://" in value or _NUMBER.fullmatch(value) or _KEY_FILE.fullmatch(value):
        return False
    digits = sum(character.isdigit() for character in value)
    letters = sum(character.isalpha() for character in value)
    if digits and letters:
        return True
    mixed = value.lower() != value != value.upper() and not value.istitle()
    return (mixed and len(value) >= 16) or (digits + letters < len(value) and len(value) >= 12 and "/" not in value)
