"""Brings a database to this version's tables. Alembic does the work and is imported only when there is some.

One transaction, under a lock, from looking at the version to the last statement: two processes that start at once take
turns, and the second finds nothing to do.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from isengard.core.errors import IsengardError, StartupError
from isengard.jobs.database import Database

REVISIONS = ("0001",)
"""Every revision in `migrations/versions`, oldest first; a test holds the two together."""

_ADVISORY_LOCK = 0x697365_6E67617264 % 2**63  # "isengard": one number for all who migrate this database


def migrate(database: Database) -> None:
    """Upgrade `database` to the newest revision of this version.

    Raises:
        StartupError: A newer Isengard has used the database, or it cannot be opened or changed.
    """
    try:
        with database.read() as connection:
            present = _revision(connection)
        if present != REVISIONS[-1]:
            with database.migrating() as connection:
                _upgrade(connection, database)
    except StartupError:
        raise
    except IsengardError as error:
        raise StartupError(f"the database cannot be used: {error.detail}", field="database_url") from error


def _upgrade(connection: Connection, database: Database) -> None:
    if database.is_postgres:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    if _revision(connection) == REVISIONS[-1]:
        return
    from alembic import command  # noqa: PLC0415 - half a second that only a start with work to do should pay
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is not None and revision not in REVISIONS:
        raise StartupError(
            f"the database was last used by a newer Isengard (its revision is {revision}, this one knows up to "
            f"{REVISIONS[-1]}); upgrade Isengard or restore a backup",
            field="database_url",
        )
    return None if revision is None else str(revision)
