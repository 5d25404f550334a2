"""The first tables: characters, images, jobs, workers, counters, queue.

Types are spelled plainly here: a script must go on meaning what it meant when the classes in `schema.py` change.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _characters()
    _images()
    _jobs()
    _workers()
    counters = op.create_table(
        "counters",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )
    queue = op.create_table(
        "queue",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("changed_at", _MOMENT),
        sa.PrimaryKeyConstraint("name", name="pk_queue"),
    )
    op.bulk_insert(counters, [{"name": "fence", "value": 0}])
    op.bulk_insert(queue, [{"name": "default", "paused": False, "reason": None, "changed_at": None}])


def downgrade() -> None:
    for table in ("queue", "counters", "workers", "jobs", "images", "characters"):
        op.drop_table(table)


def _characters() -> None:
    op.create_table(
        "characters",
        sa.Column("id", sa.String(72), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("trigger_word", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("lora_path", sa.Text),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_characters"),
    )
    op.create_index("ix_characters_newest", "characters", ["created_at", "id"])


def _images() -> None:
    op.create_table(
        "images",
        sa.Column("character_id", sa.String(72), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("stem_key", sa.Text, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("character_id", "filename", name="pk_images"),
        sa.ForeignKeyConstraint(["character_id"], ["characters.id"], name="fk_images_character_id", ondelete="CASCADE"),
        sa.UniqueConstraint("character_id", "stem_key", name="uq_images_character_id_stem_key"),
        sa.UniqueConstraint("character_id", "sha256", name="uq_images_character_id_sha256"),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(72), nullable=False),
        sa.Column("character_id", sa.String(72), nullable=False),
        sa.Column("trainer", sa.String(64), nullable=False),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("requirements", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(32), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("retries", sa.Integer, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("has_secrets", sa.Boolean, nullable=False),
        sa.Column("progress", sa.Float(53), nullable=False),
        sa.Column("current_step", sa.BigInteger, nullable=False),
        sa.Column("total_steps", sa.BigInteger, nullable=False),
        sa.Column("current_loss", sa.Float(53)),
        sa.Column("eta_seconds", sa.Float(53)),
        sa.Column("error_message", sa.Text),
        sa.Column("error_type", sa.Text),
        sa.Column("failure_fingerprint", sa.String(64)),
        sa.Column("output_path", sa.Text),
        sa.Column("correlation_id", sa.String(128), nullable=False),
        sa.Column("traceparent", sa.String(128), nullable=False),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("request_fingerprint", sa.String(64)),
        sa.Column("journal_seq", sa.BigInteger, nullable=False),
        sa.Column("worker_id", sa.String(72)),
        sa.Column("home", sa.String(72)),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("queued_at", _MOMENT),
        sa.Column("not_before", _MOMENT),
        sa.Column("started_at", _MOMENT),
        sa.Column("completed_at", _MOMENT),
        sa.Column("updated_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("idempotency_key", name="uq_jobs_idempotency_key"),
        sa.CheckConstraint(
            "status IN ('queued','running','cancelling','completed','failed','cancelled')",
            name="ck_jobs_status_is_known",
        ),
    )
    op.create_index("ix_jobs_newest", "jobs", ["created_at", "id"])
    op.create_index("ix_jobs_character_newest", "jobs", ["character_id", "created_at", "id"])
    op.create_index("ix_jobs_queue", "jobs", ["status", "priority", "queued_at"])
    op.create_index("ix_jobs_worker", "jobs", ["worker_id"])
    op.create_index("ix_jobs_failure_fingerprint", "jobs", ["failure_fingerprint"])


def _workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.String(72), nullable=False),
        sa.Column("folder", sa.String(72), nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("machine", sa.String(64), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process_started", sa.Float(53), nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("registered_at", _MOMENT, nullable=False),
        sa.Column("beat_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
        sa.UniqueConstraint("folder", name="uq_workers_folder"),
    )
