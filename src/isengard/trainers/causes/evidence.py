"""What is known of a failure, the most telling first. Interprets nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isengard.trainers.tracebacks import WRAPPERS


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a failure.

    Attributes:
        config: The job's configuration; advice names its values.
        last_lines: The last lines of the trainer's output, oldest first.
    """

    error_type: str = ""
    error: str = ""
    stack: str = ""
    last_lines: Sequence[str] = ()
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def witnesses(self) -> tuple[str, str, str]:
        """What was said, the most telling first: a warning among the last lines must not outdo the error itself."""
        return f"{self.error_type}: {self.error}", self.stack, "\n".join(self._lines_that_count())

    def _lines_that_count(self) -> Sequence[str]:
        """All of the last lines where no exception was printed, else those behind it: the ones before were survived.

        A launcher's exception counts as none: it says only that a program failed, and the reason stands before it.
        """
        if not self.stack.strip() or self.error_type.rpartition(".")[2] in WRAPPERS:
            return self.last_lines
        end = self.stack.rstrip().splitlines()[-1].strip()
        at = next((n for n, line in reversed(list(enumerate(self.last_lines))) if line.strip().endswith(end)), None)
        return () if at is None else self.last_lines[at + 1 :]
