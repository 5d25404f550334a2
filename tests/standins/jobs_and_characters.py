"""Characters and jobs to put into a store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from isengard.core.paths import new_character_id, new_job_id
from isengard.jobs.leases import Holder
from isengard.jobs.models import Character, Job
from isengard.jobs.store import Store

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def add_character(store: Store, name: str = "Pip") -> Character:
    now = datetime.now(UTC)
    return store.add_character(Character(new_character_id(), name, "pipbot", now, now))


def a_job(character: Character, minute: int = 0, **changes: Any) -> Job:
    job = Job(
        id=new_job_id(),
        character_id=character.id,
        trainer="mock",
        config={"steps": 100, "sample_prompts": ["ein Bär \u2764"]},
        correlation_id="corr-test",
        created_at=EPOCH + timedelta(minutes=minute),
        total_steps=100,
    )
    return replace(job, **changes)


def add_job(store: Store, character: Character, minute: int = 0, **changes: Any) -> Job:
    return store.create_job(a_job(character, minute, **changes))[0]


def a_holder(folder: Path) -> Holder:
    folder.mkdir(parents=True, exist_ok=True)
    return Holder.here(folder)
