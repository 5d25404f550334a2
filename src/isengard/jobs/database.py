"""The connection to SQLite or PostgreSQL: how a transaction begins on each and what their errors mean in words.

The only module that knows which of the two it speaks to, but for the claim's locking and the migrations' lock. Holds
no queries. docs/decisions/0030-store-on-two-databases.md says why each PRAGMA is as it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Select, Table, create_engine, event, make_url
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from isengard.core.errors import CommitUncertain, IsengardError, StartupError, StorageBusy, StorageError

BUSY_TIMEOUT_S = 30.0
"""How long a writer waits for another one before it gives up; ``?timeout=`` in an SQLite URL says otherwise."""

_WRITES = "isengard_writes"


class Database:
    """One database and its pool of connections; may be shared between threads, not between processes.

    Args:
        url: An SQLAlchemy URL of SQLite or PostgreSQL; ``postgres://`` and ``postgresql://`` use psycopg 3.

    Raises:
        StartupError: The URL is not one of those, or the driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = _parse(url)
        self.is_postgres = self.url.get_backend_name() == "postgresql"
        self._reader = _postgres(self.url) if self.is_postgres else _sqlite(self.url)
        self._writer = self._reader.execution_options(**{_WRITES: True})  # the same pool, another way to begin

    @property
    def shown(self) -> str:
        """The URL as it may be shown: without its password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads; a writer elsewhere never makes it wait."""
        with self._translated(), self._reader.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes: committed at the end of the ``with``, rolled back by any exception.

        On SQLite it takes the one write lock at its start, so what it reads cannot change before it writes.

        Raises:
            StorageError: The database refused or could not be reached; nothing was changed.
            CommitUncertain: The connection broke during the commit.
        """
        with self._translated(), self._writer.connect() as connection, connection.begin() as transaction:
            yield connection
            self._commit(transaction)

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A writing transaction in which SQLite may rebuild tables: references are checked at its end only."""
        with self._translated(), self._writer.connect() as connection:
            if self.is_postgres:
                with connection.begin():
                    yield connection
                return
            # A connection of its own, never pooled again: the pragma outlives the transaction.
            raw: Any = connection.connection.driver_connection
            raw.execute("PRAGMA foreign_keys=OFF")
            connection.detach()
            with connection.begin():
                yield connection
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
                if broken is not None:
                    raise StorageError(f"the migration would leave rows of {broken[0]} without their parent")

    def insert_if_new(self, table: Table, **values: Any) -> Any:
        """An INSERT into `table` that does nothing where a unique value is there already.

        On PostgreSQL it waits for another transaction that is inserting the same value.
        """
        insert: Any = sqlite_insert
        if self.is_postgres:
            from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415 - 20 ms that SQLite need not pay
        return insert(table).values(**values).on_conflict_do_nothing()

    def locking(self, query: Select[Any], *, skip_locked: bool = False, share: bool = False) -> Select[Any]:
        """`query` with its rows locked until the end of the transaction.

        SQLite renders no such clause and needs none: a transaction of `write` is alone from its beginning.
        """
        return query.with_for_update(skip_locked=skip_locked, read=share)

    def close(self) -> None:
        """Close the pooled connections."""
        self._reader.dispose()

    def _commit(self, transaction: Any) -> None:
        try:
            transaction.commit()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise CommitUncertain(
                    f"the connection to the database broke while committing: {self._plain(error)}"
                ) from error
            raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except IsengardError:
            raise
        except DBAPIError as error:
            kind = StorageBusy if _is_busy(error.orig) else StorageError
            raise kind(self._explain(error)) from error
        except PoolTimeout as error:
            raise StorageError("all database connections are in use; try again") from error
        except SQLAlchemyError as error:
            raise StorageError(f"the database failed: {self._plain(error)}") from error

    def _explain(self, error: DBAPIError) -> str:
        original = error.orig
        if isinstance(original, sqlite3.Error):
            return f"{_explain_sqlite(original)} ({self.url.database})"
        state = getattr(original, "sqlstate", None) or ""
        return f"{_POSTGRES_STATES.get(state, 'the database failed')}: {self._plain(error)}"

    def _plain(self, error: SQLAlchemyError) -> str:
        """The first line of the driver's message, which names no values of the statement, without the password."""
        original = getattr(error, "orig", None)
        text = (str(original if original is not None else error).strip() or type(error).__name__).splitlines()[0]
        password = self.url.password
        return text.replace(str(password), "***") if password else text


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite database in a file, whatever characters its path holds."""
    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def _parse(text: str) -> URL:
    try:
        url = make_url(text.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError) as error:
        # The text is not repeated: what cannot be parsed cannot have its password hidden either.
        raise StartupError("ISENGARD_DATABASE_URL is not a database URL", field="database_url") from error
    backend = url.get_backend_name()
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and url.database not in (None, "", ":memory:"):
        return url
    raise StartupError(
        f"ISENGARD_DATABASE_URL names {backend!r}; it must be sqlite:///FILE or postgresql://…", field="database_url"
    )


def _postgres(url: URL) -> Engine:
    try:
        return create_engine(
            url,
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=20,
            connect_args={"connect_timeout": 10, "application_name": "isengard", **_postgres_patience(url)},
        )
    except ImportError as error:
        raise StartupError(
            "PostgreSQL needs psycopg: pip install 'isengard[postgres]'", field="database_url"
        ) from error


def _postgres_patience(url: URL) -> dict[str, str]:
    """How long to wait for a lock, and for how long a client that was stopped in the middle of a transaction keeps one.

    Without the second, a worker that was put to sleep inside a transaction would keep its successor waiting for ever.
    """
    if "options" in url.query:
        return {}
    wait_ms = int(BUSY_TIMEOUT_S * 1000)
    return {"options": f"-c lock_timeout={wait_ms} -c idle_in_transaction_session_timeout={2 * wait_ms}"}


def _sqlite(url: URL) -> Engine:
    patience = {} if "timeout" in url.query else {"timeout": BUSY_TIMEOUT_S}
    engine = create_engine(url, connect_args=patience, pool_size=5, max_overflow=20)

    @event.listens_for(engine, "connect")
    def set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver's own BEGIN comes too late and is never IMMEDIATE; with None it leaves transactions to `begin`.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _is_busy(error: BaseException | None) -> bool:
    """Whether somebody else's lock was in the way for too long."""
    sqlite_name = getattr(error, "sqlite_errorname", None) or ""
    return sqlite_name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or getattr(error, "sqlstate", None) == "55P03"


_SQLITE_CODES = (
    ("SQLITE_FULL", "the disk is full; the database could not be written"),
    ("SQLITE_READONLY", "the database is read-only"),
    ("SQLITE_BUSY", "the database is locked: another process has been writing to it for too long"),
    ("SQLITE_LOCKED", "the database is locked"),
    ("SQLITE_CANTOPEN", "the database file cannot be opened"),
    ("SQLITE_IOERR", "the disk reported an error on the database file"),
    ("SQLITE_CORRUPT", "the database file is damaged"),
    ("SQLITE_NOTADB", "the file is not an SQLite database"),
)

_POSTGRES_STATES = {
    "53100": "the database's disk is full",
    "53300": "the database accepts no more connections",
    "25006": "the database is read-only",
    "57P01": "the database is shutting down",
    "57P02": "the database is shutting down",
    "57P03": "the database is starting up",
    "55P03": "the database is locked: another process has been writing to it for too long",
    "40P01": "the database broke off a deadlock; try again",
    "28P01": "the database refused the user or password",
    "3D000": "the database does not exist",
}


def _explain_sqlite(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "") or ""
    for prefix, words in _SQLITE_CODES:
        if name.startswith(prefix):
            return words
    return f"the database failed: {error}"
