"""The demo: a training of the character that comes with Isengard, the real one where that can run here."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from isengard.core.settings import Mode, Settings
from isengard.datasets import demo
from isengard.datasets.characters import Characters
from isengard.datasets.intake import Intake
from isengard.datasets.limits import Limits
from isengard.datasets.uploads import IncomingFile
from isengard.execution import control
from isengard.jobs.models import Character, Job
from isengard.jobs.store import Store
from isengard.trainers import registry
from isengard.trainers.diffusers import demo as diffusers_demo

PROMPTS = [f"{demo.TRIGGER_WORD} on a yellow background", f"{demo.TRIGGER_WORD} on a red background"]
_REAL = "diffusers"
_CONFIGS: dict[str, dict[str, Any]] = {
    _REAL: diffusers_demo.CONFIG,
    "mock": {"steps": 300, "step_time_s": 0.1, "sample_every_n_steps": 50, "checkpoint_every_n_steps": 100},
}


def start(settings: Settings, store: Store) -> tuple[Character, Job]:
    """Make the demo character, if it is not there yet, and queue a training of it.

    Raises:
        StorageError: The disk or database refused.
        TrainerUnavailable: The real trainer cannot run here, and the mode is production.
    """
    character = _character(settings, store)
    trainer = _trainer(settings)
    config = {**_CONFIGS[trainer], "sample_prompts": PROMPTS}
    job, _ = control.submit(settings, store, character_id=character.id, trainer=trainer, config=config)
    return character, job


def _trainer(settings: Settings) -> str:
    """The real one where it can run; else, in fast-test mode, whose default that is, the mock."""
    usable = {card.name for card in registry.available(settings) if card.available}
    return "mock" if settings.mode is Mode.FAST_TEST and _REAL not in usable else _REAL


def _character(settings: Settings, store: Store) -> Character:
    """The demo character; made from the package's pictures unless there is one that has images."""
    for known in store.list_characters():
        if (known.name, known.trigger_word) == (demo.CHARACTER_NAME, demo.TRIGGER_WORD) and known.image_count:
            return known
    made = Characters(store, settings.paths).create(demo.CHARACTER_NAME, demo.TRIGGER_WORD, demo.DESCRIPTION)
    with ExitStack() as stack:
        files = [_incoming(stack, path) for path in sorted(demo.character().iterdir())]
        Intake(store, settings.paths, Limits.of(settings)).ingest(made.id, files)
    return store.get_character(made.id)


def _incoming(stack: ExitStack, path: Path) -> IncomingFile:
    return IncomingFile(path.name, stack.enter_context(path.open("rb")))
