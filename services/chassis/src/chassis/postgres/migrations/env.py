"""Alembic's entry point: uses the caller's connection, with its schema, role and lock."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)
context.run_migrations()
