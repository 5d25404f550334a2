"""Names of data sources (DSN): credentials in what a driver is given to connect with, where it is no plain URL.

``root:password@tcp(db:3306)/app`` says by itself what it is; ``root:password@host`` and Sentry's ``https://key@host/1``
do so only after a name such as ``SENTRY_DSN``. A user without a password is no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from isengard.core.redaction.notation import Value
from isengard.core.redaction.rules import LEFT, Segment
from isengard.core.redaction.spans import MASK, Span

_PLACEHOLDER = r"(?!\*{3}@|\$\{|\$[A-Z_]|<|\{|%s)"
_SOCKET = re.compile(rf"{LEFT}[\w.-]{{1,64}}:{_PLACEHOLDER}([^\s\"'<>`\\]{{1,128}})@(?:tcp|udp|unix|cloudsql)[46]?\(")
_BEHIND_A_NAME = re.compile(
    rf"https?://{_PLACEHOLDER}([^\s:@/]{{1,256}})@|[\w.-]{{1,64}}[:/]{_PLACEHOLDER}([^\s/]{{1,256}})@[\w.(\[-]"
)


class SocketPasswords:
    """Finds the password of ``user:password@tcp(host)``."""

    literals = ("@tcp", "@udp", "@unix(", "@cloudsql(")

    def find(self, segment: Segment) -> Iterator[Span]:
        """One span a source."""
        for match in _SOCKET.finditer(segment.text):
            yield Span(match.start(1), match.end(1), "source-password", MASK, match.start())


def credentials_of(text: str, value: Value) -> Value | None:
    """The key or password in the source that is the `value` of a DSN; None if it has none that a URL would not show."""
    match = _BEHIND_A_NAME.match(text, value.start, value.end)
    if match is None:
        return None
    return Value(*match.span(match.lastindex or 0), quoted=True)
