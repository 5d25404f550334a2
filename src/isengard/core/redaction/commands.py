"""Commands: passwords that a command line gives by position (``curl -u``, ``sshpass -p``), and netrc files.

What has a name of its own (``--password``) is the business of `assignments`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from isengard.core.redaction.names import Sensitivity
from isengard.core.redaction.notation import QUOTE, value_at
from isengard.core.redaction.rules import LEFT, Segment
from isengard.core.redaction.spans import MASK, Span
from isengard.core.redaction.values import is_harmless, looks_secret

_SEP = r"(?:[ \t=]|[\"'],[ \t\r\n]{0,32}[\"']|\\\r?\n[ \t]{0,32})"
_VALUE = r"[\"']?([^\s\"'\\]{1,512})"

_USER_OPTION = re.compile(
    rf"(?<![A-Za-z0-9-])(?:-u|-U|--user|--proxy-user|-a){_SEP}{{0,4}}"
    r"[\"']?([^\s:\"'\\/]{0,128}):([^\s\"'\\]{1,512})"
)
_POSITIONAL = re.compile(
    rf"sshpass{_SEP}{{1,4}}-p{_SEP}{{0,4}}{_VALUE}"
    rf"|(?:mysql(?:dump|admin)?|mariadb)[ \t][^\n]{{0,200}}?[ \t]-p(?=[^\s-]){_VALUE}"
    rf"|docker{_SEP}{{1,4}}login[ \t][^\n]{{0,200}}?-p{_SEP}{{1,4}}{_VALUE}"
    rf"|redis-cli[ \t][^\n]{{0,200}}?-a{_SEP}{{1,4}}{_VALUE}"
    rf"|wandb{_SEP}{{1,4}}login{_SEP}{{1,4}}(?:--[a-z]{{1,20}}{_SEP}{{1,4}}){{0,4}}{_VALUE}"
    rf"|echo{_SEP}{{1,4}}(?:-n{_SEP}{{1,4}})?{_VALUE}[\"']?[ \t]{{0,4}}\|[^\n]{{0,200}}?(?:-stdin|--with-token)"
    rf"|authtoken{_SEP}{{1,4}}{_VALUE}"
)
_PAIR = re.compile(
    r"(?i)(?:\bauth(?:[\"']?[ \t]{0,4}[=:])?|BasicAuth|DigestAuth|\.login)[ \t]{0,4}\([ \t]{0,4}(?:\w{1,16}=)?"
    rf"{QUOTE}([^\"'\\\s]{{1,128}}){QUOTE},[ \t]{{0,4}}(?={QUOTE})"
)
_COOKIES = re.compile(
    rf"curl(?=[ \t])[^\n]{{0,400}}?[ \t](?:-b|--cookie){_SEP}{{0,4}}[\"']?([\w.-]{{1,64}}=[^\n\"']{{1,4096}})"
)
_NETRC = re.compile(
    LEFT + r"login[ \t\r\n]{1,32}\S{1,200}[ \t\r\n]{1,32}"
    r"(?:account[ \t]{1,8}\S{1,200}[ \t\r\n]{1,32})?password[ \t\r\n]{1,32}"
    r"(\S{1,512}?)(?=[\])},;\"'`\\]{0,72}(?:\s|$)|\\{1,8}[nr])"  # not the quotes and brackets around all of it
)


class CommandPasswords:
    """Finds passwords and keys that stand at a known place of a known command."""

    literals = (
        "curl",
        "wget",
        "httpie",
        "sshpass",
        "mysql",
        "mariadb",
        "docker",
        "redis-cli",
        "wandb",
        "authtoken",
        "-stdin",
        "--with-token",
        "auth",
        ".login",
    )

    def find(self, segment: Segment) -> Iterator[Span]:
        """The password of each such command."""
        text = segment.text
        for match in _POSITIONAL.finditer(text):
            value = match[match.lastindex or 0]
            keyword = match[0].startswith(("wandb", "authtoken"))
            if not is_harmless(value, "", Sensitivity.STRONG, quoted=False) and (not keyword or looks_secret(value)):
                yield Span(*match.span(match.lastindex or 0), "command-password", MASK, match.start())
        for match in _COOKIES.finditer(text):
            yield Span(*match.span(1), "cookie", MASK, match.start())
        for match in _PAIR.finditer(text):
            password = value_at(text, match.end())
            if password and not is_harmless(text[password.start : password.end], "", Sensitivity.STRONG, quoted=True):
                yield Span(password.start, password.end, "command-password", MASK, match.start())
        if "curl" in text or "wget" in text or "http" in text:
            yield from self._users(text)

    def _users(self, text: str) -> Iterator[Span]:
        for match in _USER_OPTION.finditer(text):
            if not match[2].isdigit() and not is_harmless(match[2], "", Sensitivity.STRONG, quoted=False):
                yield Span(match.start(2), match.end(2), "command-password", MASK, match.start())


class NetrcPasswords:
    """Finds the passwords of netrc entries, on one line or several."""

    literals = ("password", "machine ", "login ")

    def find(self, segment: Segment) -> Iterator[Span]:
        """What follows ``login … password``."""
        for match in _NETRC.finditer(segment.text):
            yield Span(match.start(1), match.end(1), "netrc", MASK, match.start())
