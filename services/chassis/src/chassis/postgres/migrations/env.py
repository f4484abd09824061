"""Alembic's entry: the connection is the caller's, so that the schema, the role and the lock are too."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)
context.run_migrations()
