"""What the store says when a database refuses, breaks off or was cut from its power; passwords are never shown."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from secrets import token_hex

import pytest

from isengard.core.errors import CommitUncertain, StartupError, StorageError
from isengard.core.settings import load
from isengard.jobs.models import Job
from isengard.jobs.store import Store, open_store
from standins.jobs_and_characters import a_job, add_character
from standins.private_postgres import PrivatePostgres
from standins.small_disk import small_disk


def test_a_full_disk_is_named_and_the_job_does_not_exist(tmp_path: Path, migrated: Path) -> None:
    with small_disk(tmp_path / "small", kibibytes=1024) as place:
        shutil.copy(migrated, place / "isengard.db")
        store = Store(f"sqlite:///{place / 'isengard.db'}")
        character = add_character(store)
        kept: list[str] = []
        with pytest.raises(StorageError, match=r"disk is full.*isengard\.db"):  # noqa: PT012 - which one fails is open
            for _ in range(200):
                job = a_job(character, config={"blob": "x" * 20_000})
                store.create_job(job)
                kept.append(job.id)
        assert {job.id for job in store.list_jobs(limit=1000).jobs} == set(kept)
        store.close()


def test_a_read_only_database_is_named(migrated: Path, tmp_path: Path) -> None:
    shutil.copy(migrated, tmp_path / "isengard.db")
    store = Store(f"sqlite:///file:{tmp_path / 'isengard.db'}?mode=ro&uri=true")
    assert store.list_characters() == []
    with pytest.raises(StorageError, match="read-only"):
        add_character(store)
    store.close()


def test_a_database_held_by_another_process_is_named(migrated: Path, tmp_path: Path) -> None:
    shutil.copy(migrated, tmp_path / "isengard.db")
    store = Store(f"sqlite:///{tmp_path / 'isengard.db'}?timeout=0.05")
    other = sqlite3.connect(tmp_path / "isengard.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked"):
        add_character(store)
    assert store.list_characters() == []  # who only reads does not wait
    other.execute("ROLLBACK")
    other.close()
    assert add_character(store)
    store.close()


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\x00" + bytes(5000)])
def test_a_file_that_is_no_database_stops_the_start(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "isengard.db").write_bytes(content)
    store = Store(f"sqlite:///{tmp_path / 'isengard.db'}")
    with pytest.raises(StartupError, match=r"cannot be used.*isengard\.db"):
        store.migrate()
    store.close()


def test_a_folder_that_does_not_exist_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot be opened"):
        Store(f"sqlite:///{tmp_path / 'no' / 'isengard.db'}").migrate()


@pytest.mark.parametrize(
    "url", ["mysql://root@host/db", "sqlite://", "sqlite:///:memory:", "not a url", "postgresql://u:p@h:port/x"]
)
def test_an_unusable_url_stops_the_start_and_is_not_repeated(url: str) -> None:
    with pytest.raises(StartupError) as refused:
        Store(url)
    assert refused.value.field == "database_url"
    assert "p@h" not in refused.value.detail


def test_a_password_is_never_shown(postgres: PrivatePostgres) -> None:
    password = token_hex(12)
    url = f"postgresql://nobody:{password}@127.0.0.1:{postgres.port}/nosuch"
    store = Store(url)
    with pytest.raises(StartupError) as refused:
        store.migrate()
    assert password not in refused.value.detail
    assert password not in store.shown_url
    assert "nobody:***@" in store.shown_url
    unreachable = Store(f"postgresql://nobody:{password}@127.0.0.1:1/x")
    with pytest.raises(StartupError, match="cannot be used") as refused:
        unreachable.migrate()
    assert password not in refused.value.detail


def test_the_settings_name_the_database(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path / "a folder?#%41")
    settings.paths.prepare()
    store = open_store(settings)
    character = add_character(store)
    store.close()
    assert settings.paths.database.is_file()
    again = open_store(settings)
    assert again.get_character(character.id)
    again.close()


def end_connections(url: str) -> None:
    """As a failover or an administrator does: every other session on this database is ended."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_lost_connection_is_replaced_before_the_next_question(postgres_url: str) -> None:
    store = Store(postgres_url)
    character = add_character(store)
    end_connections(postgres_url)
    assert store.get_character(character.id).id == character.id
    store.close()


def test_a_connection_lost_while_committing_is_called_uncertain(postgres_url: str) -> None:
    store = Store(postgres_url)
    character = add_character(store)

    def cut(_job: Job) -> None:
        end_connections(postgres_url)

    job = a_job(character)
    with pytest.raises(CommitUncertain):
        store.create_job(job, before_commit=cut)
    # This time it did not go through; whoever looks again finds out.
    assert store.list_jobs().jobs == []
    assert store.create_job(job)[1]
    store.close()


_WRITER = """
import sys
from standins.jobs_and_characters import a_job
from isengard.jobs.store import Store
store = Store(sys.argv[1])
character = store.list_characters()[0]
minute = 0
while True:
    minute += 1
    job = a_job(character, minute)
    store.create_job(job)
    print(job.id, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_was_confirmed(migrated: Path, tmp_path: Path) -> None:
    shutil.copy(migrated, tmp_path / "isengard.db")
    url = f"sqlite:///{tmp_path / 'isengard.db'}"
    store = Store(url)
    add_character(store)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, url], stdout=subprocess.PIPE, text=True, env=environment)
    assert writer.stdout is not None
    confirmed = [writer.stdout.readline().strip() for _ in range(40)]
    writer.kill()
    confirmed += [line.strip() for line in writer.stdout.read().splitlines()]
    writer.wait()
    writer.stdout.close()
    found = {job.id for job in store.list_jobs(limit=1000).jobs}
    assert set(confirmed) <= found
    assert len(found) - len(confirmed) <= 1  # one may have been committed but not yet printed
    store.close()


def test_a_power_cut_at_any_byte_of_a_commit_leaves_a_whole_earlier_state(migrated: Path, tmp_path: Path) -> None:
    """The write-ahead log is cut where the disk stopped, and what followed is noise from before."""
    source = tmp_path / "source.db"
    shutil.copy(migrated, source)
    store = Store(f"sqlite:///{source}")
    character = add_character(store)
    order = [store.create_job(a_job(character, minute))[0].id for minute in range(12)]
    log = Path(f"{source}-wal").read_bytes()
    base = source.read_bytes()
    seen: set[int] = set()
    for number in range(40):
        cut = len(log) * number // 40 + number  # within frames and at their edges
        copy = tmp_path / f"cut-{number}.db"
        copy.write_bytes(base)
        Path(f"{copy}-wal").write_bytes(log[:cut] + os.urandom(4096))
        after = Store(f"sqlite:///{copy}")
        after.migrate()
        found = [job.id for job in after.list_jobs(limit=100).jobs][::-1]
        assert found == order[: len(found)]
        seen.add(len(found))
        after.close()
    assert len(seen) > 5  # the cuts did fall between different commits
    store.close()
