"""How one known cause is told from a failure's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from isengard.trainers.causes.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a training failed.

    Attributes:
        code: Short stable name (``cuda-oom``), ``unknown`` if no rule matched.
        title: What happened, a few words.
        explanation: Why, in a sentence or two.
        advice: What to try, best first.
        retry: Whether running it again unchanged from the last checkpoint can be worth it.
        settings: Configuration values that would avoid it, where they can be computed.
    """

    code: str
    title: str
    explanation: str
    advice: tuple[str, ...] = ()
    retry: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    def where_nothing_resumes(self) -> Cause:
        """The same for a job that can only be started again: whoever is told to resume it would be refused."""
        kept = tuple(each for each in self.advice if not each.casefold().startswith("resume"))
        return self if kept == self.advice else replace(self, advice=(*kept, "Start it again."))


Refine = Callable[[Cause, Evidence, re.Match[str]], Cause]


@dataclass(frozen=True, slots=True)
class Rule:
    """One known cause.

    Attributes:
        cause: Its general form.
        pattern: Searched in the evidence.
        refine: Fills in what depends on the words or the configuration.
        yields_to: Codes of plainer causes for which the same words are said: one found elsewhere in the evidence wins.
    """

    cause: Cause
    pattern: re.Pattern[str]
    refine: Refine | None = None
    yields_to: frozenset[str] = frozenset()

    def match(self, evidence: Evidence, text: str) -> Cause | None:
        """The cause if this rule applies to `text`, a part of the evidence."""
        found = self.pattern.search(text)
        if found is None:
            return None
        return self.refine(self.cause, evidence, found) if self.refine else self.cause


def rule(pattern: str, cause: Cause, refine: Refine | None = None, *, yields_to: str = "") -> Rule:
    """A rule by a pattern that takes no heed of case; `yields_to` are codes with spaces between."""
    return Rule(cause, re.compile(pattern, re.IGNORECASE), refine, frozenset(yields_to.split()))


def named(cause: Cause, _evidence: Evidence, match: re.Match[str]) -> Cause:
    """Put what the words name into the explanation and the advice: the first group within the whole."""
    name = next((group.strip() for group in match.groups()[1:] if group), "")
    if not name:
        return _unnamed(cause)
    return replace(
        cause,
        explanation=cause.explanation.replace("{name}", name[:200]),
        advice=tuple(advice.replace("{name}", name[:200]) for advice in cause.advice),
    )


def _unnamed(cause: Cause) -> Cause:
    """The cause where the words name nothing: neither an empty pair of brackets nor an open colon is left."""
    explanation = re.sub(r"( \({name}\)|: {name})", "", cause.explanation).replace("{name}", "one")
    advice = tuple(each.replace("{name}", "what the error names") for each in cause.advice)
    return replace(cause, explanation=explanation if explanation[-1] in ".:" else f"{explanation}.", advice=advice)
