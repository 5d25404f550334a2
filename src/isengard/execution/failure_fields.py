"""The fields of a ``job.failed`` line: what happened, the stack, the last lines, the cause in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isengard.trainers import causes
from isengard.trainers.base import Verdict
from isengard.trainers.fingerprint import fingerprint

_LINES = 20


def failure_fields(
    verdict: Verdict, last_lines: Sequence[str], config: Mapping[str, Any], *, can_resume: bool = True
) -> dict[str, Any]:
    """What the journal says of a failure.

    Args:
        last_lines: The last of the trainer's output, oldest first.
        can_resume: Whether the job can go on from a checkpoint.
    """
    lines = list(last_lines)[-_LINES:]
    evidence = causes.Evidence(verdict.error_type or "", verdict.error or "", verdict.error_stack or "", lines, config)
    cause = causes.diagnose(evidence)
    if not can_resume:
        cause = cause.where_nothing_resumes()
    fields = {
        "error": verdict.error or "failed",
        "error_type": verdict.error_type or "Unknown",
        "error_stack": verdict.error_stack,
        "last_lines": lines,
        "cause": {
            "code": cause.code,
            "title": cause.title,
            "explanation": cause.explanation,
            "advice": list(cause.advice),
            "retry": cause.retry,
            "settings": dict(cause.settings),
        },
        "failure_fingerprint": fingerprint(evidence),
    }
    return {name: value for name, value in fields.items() if value}
