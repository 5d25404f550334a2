"""The store: facts that change, in SQLite or PostgreSQL. One object a process; threads may share it.

What happened is the journal's to say; where the two disagree, the journal wins (`execution` mends the store from it).
Synchronous: whoever calls from an event loop does so through a thread.
"""

from __future__ import annotations

from isengard.core.settings import Settings
from isengard.jobs.characters_store import CharacterStore
from isengard.jobs.database import Database, sqlite_url
from isengard.jobs.jobs_store import JobStore, Progress
from isengard.jobs.lease_store import LeaseStore
from isengard.jobs.migrate import migrate

__all__ = ["Progress", "Store", "open_store"]


class Store(CharacterStore, JobStore, LeaseStore):
    """Characters, images, jobs, workers and the queue in one database.

    Args:
        url: An SQLAlchemy URL (``sqlite:////data/isengard.db``, ``postgresql://user@host/db``).

    Raises:
        StartupError: The URL names neither SQLite nor PostgreSQL.
    """

    def __init__(self, url: str) -> None:
        super().__init__(Database(url))

    @property
    def shown_url(self) -> str:
        """Where the data is, without a password."""
        return self._db.shown

    def migrate(self) -> None:
        """Bring the tables to this version; safe to call again and from several processes at once.

        Raises:
            StartupError: A newer Isengard has used the database, or it cannot be opened.
        """
        migrate(self._db)

    def ping(self) -> None:
        """Ask the database for an answer; raises `StorageError`."""
        with self._db.read() as connection:
            connection.exec_driver_sql("SELECT 1")

    def close(self) -> None:
        """Close the connections."""
        self._db.close()


def open_store(settings: Settings) -> Store:
    """The store of these settings with its tables up to date; raises `StartupError`."""
    url = settings.database_url
    store = Store(url.get_secret_value() if url else sqlite_url(settings.paths.database))
    store.migrate()
    return store
