"""What Alembic runs: the migrations, over the connection that `rayon.store.schema` hands it."""

from __future__ import annotations

from alembic import context

from rayon.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    compare_type=True,
)
context.run_migrations()
