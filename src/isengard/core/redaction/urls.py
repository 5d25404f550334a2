"""URLs: credentials in the authority (``scheme://user:password@host``) and signatures in the query.

A URL without credentials is never touched: a port, an ``@`` in the path and ``git@host:`` are no secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from isengard.core.redaction.rules import LEFT, Segment
from isengard.core.redaction.spans import MASK, Span
from isengard.core.redaction.values import looks_secret

_SCHEME = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,30}://")
_AUTHORITY = re.compile(r"[^/\s\"'<>`\\]{0,2048}")
_SLASHED = re.compile(r"[^\s\"'<>`\\]{0,256}")
_PLACEHOLDER = re.compile(
    r"\*+|\$\{[^{}]*\}|\$(?:[A-Z_][A-Z0-9_]*|[a-z_]+)|<[^<>]*>|\{[^{}]*\}|%s|\*\*\*REDACTED\*\*\*"
)


class UrlCredentials:
    """Finds the password of ``scheme://user:password@host`` and a long token that stands as the user."""

    literals = ("://",)

    def find(self, segment: Segment) -> Iterator[Span]:
        """One span a URL at most."""
        for scheme in _SCHEME.finditer(segment.text):
            span = self._credentials(segment.text, scheme)
            if span:
                yield span

    def _credentials(self, text: str, scheme: re.Match[str]) -> Span | None:
        start = scheme.end()
        end = text.rfind("@", start, self._end_of_authority(text, start))
        if end < 0:
            return None
        colon = text.find(":", start, end)
        if colon < 0:
            user = text[start:end]
            masked = len(user) >= 16 and looks_secret(user)
            return Span(start, end, "url-token", MASK, scheme.start()) if masked else None
        if colon + 1 == end or _PLACEHOLDER.fullmatch(text, colon + 1, end):
            return None
        return Span(colon + 1, end, "url-password", MASK, scheme.start())

    def _end_of_authority(self, text: str, start: int) -> int:
        """Where the authority ends; a password with a bare ``/`` in it makes it reach to the last ``@``."""
        authority = _AUTHORITY.match(text, start)
        end = authority.end() if authority else start
        colon = text.find(":", start, end)
        if (
            colon < 0
            or text.find("@", start, end) >= 0
            or text[colon + 1 : end].isdigit()
            or text[start : start + 1] == "["
        ):
            return end
        slashed = _SLASHED.match(text, start)
        return slashed.end() if slashed and colon + 1 < end else end


_QUERY = re.compile(
    rf"(?i){LEFT}(?:sig|signature|x-amz-signature|x-amz-security-token|x-amz-credential|x-goog-signature"
    r"|x-goog-credential|awsaccesskeyid)=([^\s&\"'<>,;\\]{6,})"
)
_KEY_QUERY = re.compile(r"[?&](?:key|auth|code|hash|t|k|apikey|subscription-key)=([^\s&\"'<>#\\]{6,})")


class QuerySecrets:
    """Finds signatures of presigned URLs and the ``key=`` of a query."""

    literals = (
        "sig=",
        "signature=",
        "x-amz-",
        "x-goog-",
        "awsaccesskeyid",
        "key=",
        "auth=",
        "code=",
        "?t=",
        "&t=",
        "k=",
    )

    def find(self, segment: Segment) -> Iterator[Span]:
        """One span a parameter."""
        for match in _QUERY.finditer(segment.text):
            if len(match[1]) >= 16 or looks_secret(match[1]):
                yield Span(match.start(1), match.end(1), "signature", MASK, match.start())
        for match in _KEY_QUERY.finditer(segment.text):
            if len(match[1]) >= 16 and looks_secret(match[1]):
                yield Span(match.start(1), match.end(1), "query-key", MASK, match.start())
