"""Finds the installed trainers by their entry points. Never substitutes one trainer for another.

A third party registers a class without constructor arguments in the entry-point group ``isengard.trainers``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from isengard.core.errors import InvalidInput, IsengardError, TrainerUnavailable
from isengard.core.settings import Settings
from isengard.trainers.base import Trainer
from isengard.trainers.parameters import validate_config

__all__ = ["GROUP", "TrainerCard", "available", "load", "load_allowed", "load_usable", "names", "validate_config"]

GROUP = "isengard.trainers"
_SELF_STARTING = {
    "script": EntryPoint("script", "isengard.trainers.script:ScriptTrainer", GROUP),
}
"""Trainers that no job can ask for, because their jobs are made by what they follow; so no list offers them."""


@dataclass(frozen=True, slots=True)
class TrainerCard:
    """What ``/info`` tells of one installed trainer.

    Attributes:
        missing: What it lacks to run here and how to get it; empty when it can run.
        parameters: JSON Schema of its configuration; empty when the plugin cannot even be imported.
    """

    name: str
    title: str
    description: str
    missing: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def available(self) -> bool:
        """Whether a job can use it now."""
        return not self.missing


def names() -> list[str]:
    """The names of all installed trainers, whether or not they can run here."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def load(name: str) -> Trainer:
    """The trainer called `name`.

    Raises:
        InvalidInput: No trainer has that name; the detail lists those that exist.
        TrainerUnavailable: It is installed but its code cannot be loaded.
    """
    point = _SELF_STARTING.get(name) or next(iter(entry_points(group=GROUP, name=name)), None)
    if point is None:
        raise InvalidInput(
            f"there is no trainer {name[:80]!r}; installed are {', '.join(names()) or 'none'}", field="trainer"
        )
    return _instantiate(point)


def can_resume(name: str) -> bool:
    """Whether a job of this trainer can go on from a checkpoint; False for one that cannot be loaded."""
    try:
        return "resume" in load(name).capabilities
    except IsengardError:
        return False


def load_allowed(name: str, settings: Settings) -> Trainer:
    """Like `load`, and jobs may use it; raises `TrainerUnavailable` for one that is switched off."""
    trainer = load(name)
    if not settings.allows_trainer(name):
        raise TrainerUnavailable(
            f"the trainer {name} is switched off here; ISENGARD_TRAINERS allows {settings.trainers}", field="trainer"
        )
    return trainer


def load_usable(name: str, settings: Settings) -> Trainer:
    """Like `load_allowed`, and it can run here.

    Raises:
        TrainerUnavailable: It is switched off, or lacks something; the detail says what and how to get it.
    """
    trainer = load_allowed(name, settings)
    missing = trainer.availability(settings).missing
    if missing:
        raise TrainerUnavailable(f"the trainer {name} cannot run here: {'; '.join(missing)}", field="trainer")
    return trainer


def available(settings: Settings) -> list[TrainerCard]:
    """A card for every installed trainer that is not switched off; one that is broken says so instead of vanishing."""
    return [_card(name, settings) for name in names() if settings.allows_trainer(name)]


def _instantiate(point: EntryPoint) -> Trainer:
    try:
        trainer: Trainer = point.load()()
    except Exception as error:  # a third party's import may raise anything; the caller needs its words
        reason = f"{type(error).__name__}: {error}"
        raise TrainerUnavailable(f"the trainer {point.name} cannot be loaded: {reason}", field="trainer") from error
    return trainer


def _card(name: str, settings: Settings) -> TrainerCard:
    try:
        trainer = load(name)
    except TrainerUnavailable as error:
        return TrainerCard(name, title=name, description="", missing=(error.detail,))
    return TrainerCard(
        name,
        title=trainer.title,
        description=trainer.description,
        missing=trainer.availability(settings).missing,
        capabilities=tuple(sorted(trainer.capabilities)),
        parameters=trainer.parameters.model_json_schema(),
    )
