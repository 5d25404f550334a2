"""Correlation: one id that follows a request into the job, the runner, the trainer and every line they write.

Context is bound and restored, never just set. The id is ours (`X-Correlation-ID`); beside it travels the W3C trace
context (https://www.w3.org/TR/trace-context/) so that other tracing systems can join.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

HEADER = "X-Correlation-ID"
ENV_CORRELATION_ID = "ISENGARD_CORRELATION_ID"
ENV_TRACEPARENT = "TRACEPARENT"

_OF_PAGE = "isengard=page"
_VALID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


@dataclass(frozen=True, slots=True)
class Correlation:
    """What ties the lines of one story together.

    Attributes:
        id: The correlation id: 1 to 128 letters, digits, ``.``, ``_``, ``:``, ``-``; starts with a letter or digit.
        traceparent: W3C trace context, or an empty string outside a trace.
        parent: Span id of whoever asked, if that is a span that somebody exports; else empty.
    """

    id: str
    traceparent: str = ""
    parent: str = ""

    def below(self, span_id: str) -> Correlation:
        """The same story below the span `span_id` of the same trace."""
        version, trace, _, flags = continue_traceparent(self.traceparent).split("-")
        return Correlation(self.id, f"{version}-{trace}-{span_id}-{flags}")

    def environment(self) -> dict[str, str]:
        """The variables that hand this correlation to a child process."""
        env = {ENV_CORRELATION_ID: self.id}
        if self.traceparent:
            env[ENV_TRACEPARENT] = self.traceparent
        return env


_current: ContextVar[Correlation | None] = ContextVar("isengard_correlation", default=None)


def current() -> Correlation | None:
    """The correlation bound here, if any."""
    return _current.get()


@contextmanager
def bind(correlation: Correlation) -> Iterator[Correlation]:
    """Bind `correlation` for the body of the ``with`` and restore what was there before."""
    token = _current.set(correlation)
    try:
        yield correlation
    finally:
        _current.reset(token)


def accept(correlation_id: str | None, traceparent: str | None, tracestate: str | None = None) -> Correlation:
    """Make the correlation of an incoming request: its own values where they are valid, new ones where not.

    Our own page begins a trace and exports no span; it says so in `tracestate`, and then nothing waits for its span.
    """
    valid = correlation_id is not None and _VALID.fullmatch(correlation_id)
    match = _usable(traceparent or "")
    return Correlation(
        correlation_id if valid and correlation_id is not None else new_id(),
        continue_traceparent(traceparent or ""),
        match[3] if match and _OF_PAGE not in (tracestate or "").replace(" ", "").split(",") else "",
    )


def from_environment(environment: Mapping[str, str]) -> Correlation:
    """The correlation a parent process handed down, or a new one."""
    return accept(environment.get(ENV_CORRELATION_ID), environment.get(ENV_TRACEPARENT))


def is_valid(correlation_id: str) -> bool:
    """Whether `correlation_id` has the accepted form."""
    return _VALID.fullmatch(correlation_id) is not None


def new_id() -> str:
    """Make a correlation id: ``corr-`` and 32 hexadecimal digits."""
    return f"corr-{uuid.uuid4().hex}"


def continue_traceparent(traceparent: str) -> str:
    """A traceparent with the same trace id and flags and a new span id; a new trace if `traceparent` is not valid."""
    match = _usable(traceparent)
    trace, flags = (match[2], match[4]) if match else (secrets.token_hex(16), "01")
    return f"00-{trace}-{secrets.token_hex(8)}-{flags}"


def _usable(traceparent: str) -> re.Match[str] | None:
    match = _TRACEPARENT.fullmatch(traceparent)
    usable = match and match[1] != "ff" and set(match[2]) != {"0"} and set(match[3]) != {"0"}
    return match if usable else None
