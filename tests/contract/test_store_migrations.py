"""Migrations: from nothing, twice, from several processes at once, and against a database from the future."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

import isengard.jobs.migrations
from isengard.core.errors import StartupError
from isengard.jobs.migrate import REVISIONS
from isengard.jobs.schema import metadata
from isengard.jobs.store import Store
from standins.jobs_and_characters import add_character

_MIGRATE = "import sys; from isengard.jobs.store import Store; Store(sys.argv[1]).migrate()"


def plain_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


def test_migrating_twice_keeps_what_is_there(empty_database_url: str) -> None:
    first = Store(empty_database_url)
    first.migrate()
    character = add_character(first)
    first.migrate()
    second = Store(empty_database_url)
    second.migrate()
    assert second.get_character(character.id).name == character.name
    first.close()
    second.close()


def test_several_processes_may_migrate_one_empty_database_at_once(empty_database_url: str) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", _MIGRATE, empty_database_url], stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    complaints = [process.communicate(timeout=60)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], complaints
    store = Store(empty_database_url)
    assert not store.queue_paused()
    store.close()


def test_the_migrated_tables_are_those_of_the_schema(empty_database_url: str) -> None:
    store = Store(empty_database_url)
    store.migrate()
    store.close()
    engine = create_engine(plain_url(empty_database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_start_with_nothing_to_do_does_not_load_alembic(database_url: str) -> None:
    script = f"{_MIGRATE}; sys.exit('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script, database_url], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_database_from_a_newer_version_is_refused_and_left_alone(empty_database_url: str) -> None:
    store = Store(empty_database_url)
    store.migrate()
    engine = create_engine(plain_url(empty_database_url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StartupError, match="newer Isengard"):
        store.migrate()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"
    engine.dispose()
    store.close()


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty_database_url: str) -> None:
    """A table that is in the way stops the script halfway; none of its other tables may stay."""
    engine = create_engine(plain_url(empty_database_url))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE jobs (mine INTEGER)"))
    store = Store(empty_database_url)
    with pytest.raises(StartupError, match="cannot be used"):
        store.migrate()
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE jobs"))
    store.migrate()
    assert store.list_characters() == []
    store.close()
    engine.dispose()


def test_the_list_of_revisions_is_that_of_the_scripts() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(isengard.jobs.migrations.__file__).parent))
    scripts = ScriptDirectory.from_config(config)
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == REVISIONS
    assert len(scripts.get_heads()) == 1
