"""What would become of a training request, without queueing anything: its parameters, its dataset, its trainer."""

from __future__ import annotations

from collections.abc import Iterable

from isengard.api.schemas.characters import DatasetCheck, FindingView
from isengard.api.schemas.training import Preflight, TrainingPlan
from isengard.api.services import Services
from isengard.core.errors import IsengardError
from isengard.datasets.checks import Finding, Severity, check_dataset
from isengard.datasets.limits import Limits
from isengard.jobs.models import Character
from isengard.trainers import registry


def check_character(services: Services, character: Character) -> DatasetCheck:
    """Look over a character's images; raises `StorageError`."""
    found = _look(services, character, resolution=None)
    return DatasetCheck(
        character_id=character.id,
        ok=_is_ok(found),
        image_count=character.image_count,
        findings=[_view(finding) for finding in found],
    )


def check_plan(services: Services, plan: TrainingPlan) -> Preflight:
    """Check everything that queueing the training would check, and the dataset beyond that."""
    findings: list[Finding] = []
    name = plan.trainer or services.settings.mode.default_trainer
    config = None
    try:
        config = registry.validate_config(registry.load_usable(name, services.settings), plan.config)
    except IsengardError as error:
        findings.append(_of_error("trainer" if error.field == "trainer" else "config", error))
    image_count = 0
    try:
        character = services.characters.get(plan.character_id)
        image_count = character.image_count
        findings += _look(services, character, resolution=config["resolution"] if config else None)
    except IsengardError as error:
        findings.append(_of_error("character", error))
    return Preflight(
        ok=_is_ok(findings),
        trainer=name,
        config=config,
        image_count=image_count,
        findings=[_view(finding) for finding in findings],
    )


def _look(services: Services, character: Character, resolution: int | None) -> list[Finding]:
    return check_dataset(
        services.paths.uploads(character.id),
        Limits.of(services.settings),
        trigger_word=character.trigger_word,
        resolution=resolution,
    )


def _is_ok(findings: Iterable[Finding]) -> bool:
    return not any(finding.severity is Severity.ERROR for finding in findings)


def _of_error(code: str, error: IsengardError) -> Finding:
    return Finding(Severity.ERROR, f"{code}_refused", error.detail, field=error.field)


def _view(finding: Finding) -> FindingView:
    return FindingView.model_validate(finding)
