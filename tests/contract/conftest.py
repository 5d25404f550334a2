"""One database of each kind for the tests that hold for both."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from isengard.jobs.store import Store
from standins.private_postgres import BINARIES, PrivatePostgres, private_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    if not BINARIES.is_dir():
        pytest.skip("PostgreSQL 15 is not installed")
    with private_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with every table, to be copied."""
    path = tmp_path_factory.mktemp("template") / "isengard.db"
    template = Store(f"sqlite:///{path}")
    template.migrate()
    template.close()
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres: PrivatePostgres) -> str:
    """The URL of a PostgreSQL database with every table; a test that uses it empties them first."""
    url = postgres.new_database()
    first = Store(url)
    first.migrate()
    first.close()
    return url


@pytest.fixture
def postgres_url(postgres: PrivatePostgres, migrated_postgres: str) -> str:
    """A PostgreSQL database with every table and nothing in them."""
    postgres.execute(migrated_postgres, "TRUNCATE characters, images, jobs, workers")
    postgres.execute(migrated_postgres, "UPDATE queue SET paused = false")
    return migrated_postgres


@pytest.fixture
def sqlite_url(migrated: Path, tmp_path: Path) -> str:
    """An SQLite database with every table and nothing in them."""
    shutil.copy(migrated, tmp_path / "isengard.db")
    return f"sqlite:///{tmp_path / 'isengard.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'isengard.db'}"
        return
    server: PrivatePostgres = request.getfixturevalue("postgres")
    url = server.new_database()
    yield url
    server.drop_database(url)


@pytest.fixture(params=["sqlite_url", "postgres_url"], ids=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of each kind with every table and nothing in them."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store(database_url)
    yield opened
    opened.close()
