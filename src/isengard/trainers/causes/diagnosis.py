"""Tries the known causes on a failure, in one order; says that a cause is unknown rather than guess.

The first rule that matches the most telling words wins. Where those words are said for several causes, a plainer one
elsewhere in the evidence wins over it. `tests/unit/trainers/test_causes.py` has a realistic
trace for each, `test_printed_failures.py` whole outputs of programs.
"""

from __future__ import annotations

from isengard.core.errors import InvalidInput
from isengard.trainers.causes import data, endings, gpu, hub, machine, packages
from isengard.trainers.causes.evidence import Evidence
from isengard.trainers.causes.rule import Cause, Rule

UNKNOWN = Cause(
    "unknown",
    "Unknown cause",
    "Isengard has no rule for this failure. The error, its stack and the last lines below are what the trainer said.",
    ("Read the first error and the lines around it.", "Send the debug bundle to somebody who knows this trainer."),
)

RULES: tuple[Rule, ...] = (
    *gpu.OUT_OF_MEMORY,
    *machine.MEMORY_AND_DISK,
    *gpu.RULES,
    *hub.RULES,
    *data.WEIGHTS,
    *data.IMAGES,
    *data.MODEL,
    *packages.RULES,
    *data.SETTINGS,
    *machine.FILES,
    *endings.RULES,
)


def diagnose(evidence: Evidence) -> Cause:
    """The cause of a failure, `UNKNOWN` when no rule knows it."""
    best: Rule | None = None
    cause = UNKNOWN
    for text in evidence.witnesses:
        for rule in RULES:
            if best is not None and rule.cause.code not in best.yields_to:
                continue
            if found := rule.match(evidence, text):
                best, cause = rule, found
                if not rule.yields_to:
                    return cause
    return cause


def rule_codes() -> list[str]:
    """The codes of all known causes, in the order in which they are tried."""
    return list(dict.fromkeys(rule.cause.code for rule in RULES))


def cause_by_code(code: str) -> Cause:
    """The general form of a cause; raises `InvalidInput` for a code that is none."""
    for rule in RULES:
        if rule.cause.code == code:
            return rule.cause
    raise InvalidInput(f"there is no cause {code[:40]!r}", field="code")
