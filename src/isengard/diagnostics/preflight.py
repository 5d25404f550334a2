"""What would become of a training request, without queueing anything: its trainer, its parameters, its dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from isengard.core.errors import IsengardError
from isengard.core.paths import check_character_id
from isengard.core.settings import Settings
from isengard.datasets.checks import Finding, Severity, check_dataset
from isengard.datasets.limits import Limits
from isengard.jobs.models import Character
from isengard.jobs.store import Store
from isengard.trainers import registry


@dataclass(slots=True)
class Outlook:
    """What was found.

    Attributes:
        config: The parameters with every default; None when they are refused.
        image_count: How many images the character has.
    """

    trainer: str
    config: dict[str, Any] | None = None
    image_count: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the training would be accepted."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)


def check_plan(
    settings: Settings,
    store: Store,
    *,
    character_id: str,
    trainer: str | None,
    config: Mapping[str, Any],
    report: Callable[[int, int], None] | None = None,
) -> Outlook:
    """Check everything that queueing the training would check, and the dataset beyond that. Refusals are findings.

    Args:
        report: Called with how many images are done and how many there are.
    """
    outlook = Outlook(trainer or settings.mode.default_trainer)
    try:
        chosen = registry.load_usable(outlook.trainer, settings)
        outlook.config = registry.validate_config(chosen, config)
    except IsengardError as error:
        outlook.findings.append(_refusal("trainer" if error.field == "trainer" else "config", error))
    try:
        character = store.get_character(check_character_id(character_id))
        outlook.image_count = character.image_count
        outlook.findings += _look(settings, character, outlook.config, report)
    except IsengardError as error:
        outlook.findings.append(_refusal("character", error))
    return outlook


def _look(
    settings: Settings,
    character: Character,
    config: Mapping[str, Any] | None,
    report: Callable[[int, int], None] | None,
) -> list[Finding]:
    return check_dataset(
        settings.paths.uploads(character.id),
        Limits.of(settings),
        trigger_word=character.trigger_word,
        resolution=config["resolution"] if config else None,
        report=report,
    )


def _refusal(code: str, error: IsengardError) -> Finding:
    return Finding(Severity.ERROR, f"{code}_refused", error.detail, field=error.field)
