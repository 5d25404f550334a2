"""The data folder as a command works on it: settings, store, and jobs and characters named the way a person does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from isengard.cli.options import settings_for
from isengard.core.errors import InvalidInput, NotFound
from isengard.core.paths import DataDir, JobPaths, check_job_id
from isengard.core.settings import Settings

if TYPE_CHECKING:
    from isengard.jobs.models import Character, Job
    from isengard.jobs.store import Store

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Workspace:
    """Settings and the open store."""

    settings: Settings
    store: Store

    def job(self, given: str) -> Job:
        """The job whose id is, or begins with, `given`; raises `NotFound` or `InvalidInput`."""
        return self.store.get_job(resolve_job(self.settings.paths, given))

    def character(self, given: str) -> Character:
        """The character with the id or the name `given`; raises `NotFound` or `InvalidInput`."""
        everyone = self.store.list_characters()
        found = [each for each in everyone if each.id == given] or [each for each in everyone if each.name == given]
        if not found:
            raise NotFound(f"no character has the id or name {given[:80]!r}; see: isengard characters")
        if len(found) > 1:
            ids = ", ".join(each.id for each in found[:_SHOWN])
            raise InvalidInput(f"{len(found)} characters are called {given[:80]!r}; name one by its id: {ids}")
        return found[0]


@contextlib.contextmanager
def existing(data_dir: Path | None) -> Iterator[Workspace]:
    """A data folder that is there; raises `NotFound` where there is none, so that a slip of the hand makes none."""
    settings = existing_settings(data_dir)
    from isengard.jobs.store import open_store

    with contextlib.closing(open_store(settings)) as store:
        yield Workspace(settings, store)


@contextlib.contextmanager
def made(data_dir: Path | None) -> Iterator[Workspace]:
    """A data folder, made if it is missing; raises `StartupError` if it cannot be."""
    settings = settings_for(data_dir)
    settings.paths.prepare()
    from isengard.jobs.store import open_store

    with contextlib.closing(open_store(settings)) as store:
        yield Workspace(settings, store)


def existing_settings(data_dir: Path | None) -> Settings:
    """The settings of a data folder that is there; raises `NotFound`."""
    settings = settings_for(data_dir)
    if not settings.paths.jobs.is_dir():
        raise NotFound(f"{settings.data_dir} is not a data folder; `isengard up` makes one, --data-dir names another")
    return settings


def resolve_job(data: DataDir, given: str) -> str:
    """The id of the one job that is called `given` or begins with it, ``train-`` left out or not.

    Raises:
        NotFound: No job's id begins with it.
        InvalidInput: Several do.
    """
    found = [name for name in _job_ids(data) if name.startswith((given, f"train-{given}"))] if given else []
    if given in found:
        return given
    if not found:
        check_job_id(given)  # says the same of what cannot be an id at all
        raise NotFound(f"no job has the id {given!r}; see: isengard jobs", field="job_id")
    if len(found) > 1:
        some = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
        raise InvalidInput(f"{len(found)} jobs begin with {given!r}: {some}")
    return found[0]


def job_paths(data_dir: Path | None, given: str) -> JobPaths:
    """The folder of the job that is called `given`; the store is not opened."""
    paths = existing_settings(data_dir).paths
    return paths.job(resolve_job(paths, given))


def _job_ids(data: DataDir) -> list[str]:
    """Every job has a folder from its first line on."""
    return sorted(path.name for path in data.jobs.iterdir() if path.name.startswith("train-") and path.is_dir())
