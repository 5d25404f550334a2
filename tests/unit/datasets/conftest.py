"""A data folder with one character, and what works on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from isengard.core.paths import DataDir
from isengard.datasets.characters import Characters
from isengard.datasets.images import Images
from isengard.datasets.intake import Intake
from isengard.datasets.limits import Limits
from isengard.jobs.models import Character
from isengard.jobs.store import Store


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    folder = DataDir(tmp_path / "data")
    folder.prepare()
    return folder


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with every table, to be copied."""
    path = tmp_path_factory.mktemp("template") / "isengard.db"
    template = Store(f"sqlite:///{path}")
    template.migrate()
    template.close()
    return path


@pytest.fixture
def store(data: DataDir, migrated: Path) -> Iterator[Store]:
    shutil.copy(migrated, data.database)
    opened = Store(f"sqlite:///{data.database}")
    yield opened
    opened.close()


@pytest.fixture
def limits() -> Limits:
    return Limits(
        image_bytes=1 << 20,
        image_pixels=1_000_000,
        upload_bytes=8 << 20,
        upload_files=60,
        images_per_character=50,
        caption_chars=500,
    )


@pytest.fixture
def characters(store: Store, data: DataDir) -> Characters:
    return Characters(store, data)


@pytest.fixture
def pip(characters: Characters) -> Character:
    return characters.create("Pip the robot", "pipbot")


@pytest.fixture
def images(store: Store, data: DataDir, limits: Limits) -> Images:
    return Images(store, data, limits)


@pytest.fixture
def intake(store: Store, data: DataDir, limits: Limits) -> Intake:
    return Intake(store, data, limits)


@pytest.fixture
def folder(data: DataDir, pip: Character) -> Path:
    return data.uploads(pip.id)
