"""What Alembic runs to apply the scripts: on the connection and in the transaction that `jobs/migrate.py` hands it."""

from __future__ import annotations

from alembic import context

from isengard.jobs.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by building it anew
)
with context.begin_transaction():
    context.run_migrations()
