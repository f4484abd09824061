"""The digest that each version of a policy was known with; owners of version 4 work on beside it."""

from alembic import op

revision = "0005"
down_revision = "0004"

AGREED = """
    CREATE TABLE policy (
        name text NOT NULL, version int NOT NULL, digest text NOT NULL,
        known_since timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (name, version)
    )"""


def upgrade() -> None:
    op.execute(AGREED)
