"""What would become of a training request, without queueing anything: its trainer, its parameters, its dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from isengard.core.errors import IsengardError
from isengard.core.paths import check_character_id
from isengard.core.settings import Settings
from isengard.datasets.captioner import check_folder
from isengard.datasets.checks import Finding, Severity, check_dataset
from isengard.datasets.limits import Limits
from isengard.diagnostics import hub_access, resources
from isengard.execution import job_secrets
from isengard.execution.metrics.gpu import GPUMonitor
from isengard.jobs.models import Character
from isengard.jobs.store import Store
from isengard.trainers import registry

NO_SECRETS: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True)
class Outlook:
    """What was found.

    Attributes:
        config: The parameters with every default; None when they are refused.
        image_count: How many images the character has.
        memory: What it will need of a GPU; None when nobody knows.
    """

    trainer: str
    config: dict[str, Any] | None = None
    image_count: int = 0
    memory: resources.MemoryNeed | None = None
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
    secrets: Mapping[str, str] = NO_SECRETS,
    environment: Mapping[str, str] | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Outlook:
    """Check everything that queueing the training would check, and beyond that its dataset, its base model, and whether
    GPU memory and disk will do. Refusals are findings.

    Args:
        secrets: As they would be given to the job. Of them the hub is shown its own token, and no other address is
            taken from them: who may queue trainings may not have this process ask a server of their choice.
        environment: This process's own, with the hub's address and token; None to ask no hub.
        report: Called with how many images are done and how many there are.
    """
    outlook = Outlook(settings.mode.default_trainer if trainer is None else trainer)
    try:
        chosen = registry.load_usable(outlook.trainer, settings)
        outlook.config = registry.validate_config(chosen, config)
    except IsengardError as error:
        outlook.findings.append(_refusal("trainer" if error.field == "trainer" else "config", error))
    try:
        job_secrets.check(secrets)
    except IsengardError as error:
        outlook.findings.append(_refusal("secrets", error))
    uploads: Path | None = None
    try:
        character = store.get_character(check_character_id(character_id))
        uploads = settings.paths.uploads(character.id)
        outlook.image_count = character.image_count
        outlook.findings += _look(settings, character, outlook.config, report)
    except IsengardError as error:
        outlook.findings.append(_refusal("character", error))
    if outlook.config is not None:
        outlook.memory = resources.memory_need(outlook.config, _gpu_memories())
        token = {name: secrets[name] for name in (hub_access.TOKEN,) if name in secrets}
        known = None if environment is None else {**environment, **token}
        outlook.findings += _resources(settings, uploads, outlook, known)
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


def _resources(
    settings: Settings, uploads: Path | None, outlook: Outlook, environment: Mapping[str, str] | None
) -> list[Finding]:
    config = outlook.config or {}
    files = uploads.iterdir() if uploads and uploads.is_dir() else ()
    size = sum(path.stat().st_size for path in files if path.is_file())
    hub = resources.base_model(config, environment) if environment is not None else ()
    memory = [resources.gpu_memory(outlook.memory)] if outlook.memory else []
    return [*hub, *_caption_model(config), *memory, *resources.disk(settings, config, size)]


def _caption_model(config: Mapping[str, Any]) -> list[Finding]:
    folder = config.get("caption_model")
    try:
        if folder:
            check_folder(Path(str(folder)).expanduser())
    except IsengardError as error:
        return [_refusal("config", error)]
    return []


def _gpu_memories() -> list[float]:
    monitor = GPUMonitor()
    try:
        gpus, _warning = monitor.read()
    finally:
        monitor.close()
    return [gpu.memory_total_mb for gpu in gpus if gpu.memory_total_mb]


def _refusal(code: str, error: IsengardError) -> Finding:
    return Finding(Severity.ERROR, f"{code}_refused", error.detail, field=error.field)
