"""The tables, as SQLAlchemy Core; `migrations/` brings a database to this state and a test holds the two together.

Column names equal the field names of the dataclasses in `jobs/models.py` and `jobs/leases.py`, so that a row becomes a
record without a mapping in between. Knows no queries.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from isengard.jobs.models import JobStatus


class Moment(TypeDecorator[datetime]):
    """An aware moment in UTC with microseconds; SQLite, which has no such type, holds it without the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; a naive datetime is a programming error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("moments in the store must carry a time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Back to an aware moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text that may come from a program's output: what no database stores (NUL, lone surrogates) becomes U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace what PostgreSQL or UTF-8 would refuse."""
        if value is None:
            return None
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class Figure(TypeDecorator[float]):
    """A finite number; NaN and infinities, which JSON cannot say, are held as unknown."""

    impl = Float(53)
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """None for what is not finite."""
        return float(value) if value is not None and math.isfinite(value) else None


class Document(TypeDecorator[dict[str, Any]]):
    """A JSON object as text, so that it comes back with the same keys in the same order from every database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> str | None:
        """As JSON in ASCII; a NaN inside is refused with ValueError."""
        return None if value is None else json.dumps(value, allow_nan=False, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> dict[str, Any] | None:
        """The object again."""
        if value is None:
            return None
        document: dict[str, Any] = json.loads(value)
        return document


class Status(TypeDecorator[JobStatus]):
    """A job's status by its value."""

    impl = String(16)
    cache_ok = True

    def process_bind_param(self, value: JobStatus | None, dialect: Dialect) -> str | None:
        """The plain string."""
        return None if value is None else JobStatus(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> JobStatus | None:
        """The enumeration's member."""
        return None if value is None else JobStatus(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Id = String(72)

characters = Table(
    "characters",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", Words, nullable=False),
    Column("trigger_word", Words, nullable=False),
    Column("description", Words),
    Column("lora_path", Words),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index("ix_characters_newest", "created_at", "id"),
)

images = Table(
    "images",
    metadata,
    Column("character_id", _Id, ForeignKey("characters.id", ondelete="CASCADE"), primary_key=True),
    Column("filename", String(255), primary_key=True),
    # The stem as a case-insensitive file system sees it: two images with one stem would share one caption file.
    Column("stem_key", Words, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("character_id", "stem_key"),
    UniqueConstraint("character_id", "sha256"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", _Id, primary_key=True),
    # No foreign key: a job and its journal outlive the character they were made for.
    Column("character_id", _Id, nullable=False),
    Column("trainer", String(64), nullable=False),
    Column("config", Document, nullable=False),
    Column("requirements", Document, nullable=False),
    Column("status", Status, nullable=False),
    Column("stage", String(32), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("retries", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("has_secrets", Boolean, nullable=False),
    Column("progress", Figure, nullable=False),
    Column("current_step", BigInteger, nullable=False),
    Column("total_steps", BigInteger, nullable=False),
    Column("current_loss", Figure),
    Column("eta_seconds", Figure),
    Column("error_message", Words),
    Column("error_type", Words),
    Column("failure_fingerprint", String(64)),
    Column("output_path", Words),
    Column("correlation_id", String(128), nullable=False),
    Column("traceparent", String(128), nullable=False),
    Column("idempotency_key", String(255)),
    Column("request_fingerprint", String(64)),
    Column("journal_seq", BigInteger, nullable=False),
    Column("worker_id", _Id),
    Column("home", _Id),
    Column("fence", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("queued_at", Moment),
    Column("not_before", Moment),
    Column("started_at", Moment),
    Column("completed_at", Moment),
    Column("updated_at", Moment),
    UniqueConstraint("idempotency_key"),
    CheckConstraint(
        "status IN ('queued','running','cancelling','completed','failed','cancelled')", name="status_is_known"
    ),
    Index("ix_jobs_newest", "created_at", "id"),
    Index("ix_jobs_character_newest", "character_id", "created_at", "id"),
    Index("ix_jobs_queue", "status", "priority", "queued_at"),
    Index("ix_jobs_worker", "worker_id"),
    Index("ix_jobs_failure_fingerprint", "failure_fingerprint"),
)

workers = Table(
    "workers",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("folder", _Id, nullable=False),
    Column("host", Words, nullable=False),
    Column("machine", String(64), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started", Float(53), nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("fence", BigInteger, nullable=False),
    # For people only: leases are judged by `beat` on an observer's own clock.
    Column("registered_at", Moment, nullable=False),
    Column("beat_at", Moment, nullable=False),
    UniqueConstraint("folder"),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

queue = Table(
    "queue",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("paused", Boolean, nullable=False),
    Column("reason", Words),
    Column("changed_at", Moment),
)
