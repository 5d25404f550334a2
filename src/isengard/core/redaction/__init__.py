"""Redaction: the only place that knows what a secret looks like and how it is masked."""

from isengard.core.redaction.known import known_from_environment
from isengard.core.redaction.redactor import DEFAULT, Finding, Redactor
from isengard.core.redaction.stream import StreamRedactor

__all__ = ["DEFAULT", "Finding", "Redactor", "StreamRedactor", "known_from_environment"]
