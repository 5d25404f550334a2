"""Headers: ``Authorization`` and its like, cookies, and bearer or basic credentials that stand alone.

"bearer of the ring" and "basic training" are prose and stay.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from isengard.core.redaction.names import Sensitivity
from isengard.core.redaction.notation import QUOTE
from isengard.core.redaction.rules import LEFT, Segment
from isengard.core.redaction.spans import MASK, Span
from isengard.core.redaction.values import is_harmless, looks_secret

_IS = (
    rf"(?:{QUOTE}?\]?[ \t]{{0,8}}(?:=>|[:=]|%3A)|{QUOTE}[ \t]{{0,8}},)"  # a mapping, or the first of a pair
    rf"[ \t+]{{0,8}}(?:[bf]?{QUOTE})?(?:[ \t]|%20|\\[ ]){{0,8}}"
)
_AUTHORIZATION = re.compile(
    rf"(?i){LEFT}(?:proxy-|x-)?authorization{_IS}"
    r"(?:(bearer|basic|token|apikey|key|negotiate|ntlm|bot|digest|oauth|hawk|aws4-hmac-sha256|sso-key|splunk|geniekey|jwt)"
    r"(?:[ \t+]|%20|\\[ ]){1,8})?"
)
_REST_SCHEMES = frozenset({"digest", "oauth", "hawk", "aws4-hmac-sha256"})
_CREDENTIAL = re.compile(r"[^\s\"'`<>,;&\\\x00-\x1f]+")
_PARAMETERS = re.compile(r"(?:[\w-]{1,64}+=(?:\\{0,15}[\"'][^\"'\\\r\n]*+\\{0,15}[\"']|[^\s,\"'\\]++)[, \t]*+)++")


class Authorization:
    """Finds the credentials of an ``Authorization`` header, in any notation."""

    literals = ("authorization",)

    def find(self, segment: Segment) -> Iterator[Span]:
        """What follows the scheme; the whole rest of the header where the scheme has several parameters."""
        text, done = segment.text, 0
        for header in _AUTHORIZATION.finditer(text):
            scheme = (header[1] or "").lower()
            pattern = _PARAMETERS if scheme in _REST_SCHEMES else _CREDENTIAL
            value = pattern.match(text, header.end()) if header.start() >= done else None
            if value:
                done = value.end()
            if value and not is_harmless(value[0], "authorization", Sensitivity.STRONG, quoted=False):
                yield Span(value.start(), value.end(), "authorization", MASK, header.start())


_COOKIE = re.compile(rf"(?i){LEFT}(?:set-)?cookie2?{_IS}")
_COOKIE_PAIRS = re.compile(r"[A-Za-z0-9_.$!%~^-]{1,128}=[^\r\n\"'`\\\x00-\x08\x0e-\x1f]+")


class Cookies:
    """Finds the pairs of a ``Cookie`` or ``Set-Cookie`` header."""

    literals = ("cookie",)

    def find(self, segment: Segment) -> Iterator[Span]:
        """All pairs of a header as one span."""
        done = 0
        for header in _COOKIE.finditer(segment.text):
            pairs = _COOKIE_PAIRS.match(segment.text, header.end()) if header.start() >= done else None
            if pairs:
                done = pairs.end()
                yield Span(pairs.start(), pairs.end(), "cookie", MASK, header.start())


_SCHEME = re.compile(r"(?i)(?<![A-Za-z0-9])(bearer|basic)(?:[ \t+:]|%20|\\[ ]){1,4}([A-Za-z0-9._~+/=%-]{8,})")


class BareCredentials:
    """Finds ``Bearer …`` and ``Basic …`` that stand without their header."""

    literals = ("bearer", "basic")

    def find(self, segment: Segment) -> Iterator[Span]:
        """Bearer tokens that look random and basic credentials that decode to ``user:password``."""
        for match in _SCHEME.finditer(segment.shadow):
            accepted = _is_basic(match[2]) if match[1].lower() == "basic" else _is_bearer(match[2])
            if accepted:
                yield Span(match.start(2), match.end(2), match[1].lower(), MASK, match.start())


def _is_bearer(value: str) -> bool:
    return looks_secret(value.rstrip(".")) or len(value) >= 24


def _is_basic(value: str) -> bool:
    try:
        decoded = base64.b64decode(value.encode() + b"=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in decoded and all(byte >= 0x20 for byte in decoded)
