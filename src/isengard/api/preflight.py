"""What would become of a training request, and what a look at a dataset found, as the API answers them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from isengard.api.schemas.characters import DatasetCheck, FindingView
from isengard.api.schemas.training import MemoryNeed, Preflight, TrainingPlan
from isengard.api.services import Services
from isengard.datasets.checks import Finding, Severity, check_dataset
from isengard.datasets.limits import Limits
from isengard.diagnostics import resources
from isengard.diagnostics.preflight import check_plan
from isengard.jobs.models import Character


def dataset_view(services: Services, character: Character) -> DatasetCheck:
    """Look over a character's images; raises `StorageError`."""
    folder, limits = services.paths.uploads(character.id), Limits.of(services.settings)
    found = check_dataset(folder, limits, trigger_word=character.trigger_word)
    return DatasetCheck(
        character_id=character.id,
        ok=not any(finding.severity is Severity.ERROR for finding in found),
        image_count=character.image_count,
        findings=_views(found),
    )


def preflight_view(services: Services, plan: TrainingPlan) -> Preflight:
    """Check everything that queueing the training would check, and the dataset beyond that."""
    outlook = check_plan(
        services.settings,
        services.store,
        character_id=plan.character_id,
        trainer=plan.trainer,
        config=plan.config,
        secrets={name: value.get_secret_value() for name, value in plan.secrets.items()},
        environment=os.environ,
    )
    return Preflight(
        ok=outlook.ok,
        trainer=outlook.trainer,
        config=outlook.config,
        image_count=outlook.image_count,
        memory=_memory(outlook.memory) if outlook.memory else None,
        findings=_views(outlook.findings),
    )


def _memory(need: resources.MemoryNeed) -> MemoryNeed:
    needed = need.needed
    return MemoryNeed(
        total_bytes=round(needed.total),
        weights_bytes=round(needed.weights),
        lora_bytes=round(needed.lora),
        activations_bytes=round(needed.activations),
        rest_bytes=round(needed.rest),
        capacity_bytes=None if need.capacity is None else round(need.capacity),
        fits=need.fits,
        settings=need.settings,
    )


def _views(findings: Iterable[Finding]) -> list[FindingView]:
    return [FindingView.model_validate(finding) for finding in findings]
