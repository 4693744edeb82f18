"""Run by alembic for each command: uses the connection and the transaction that ``migrate`` opened."""

from alembic import context

from mailgate.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by making it anew
)
context.run_migrations()
