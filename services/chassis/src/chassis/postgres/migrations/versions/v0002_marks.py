"""The time stamp of the last record read of each topic; owners of version 1 work on beside it."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE partition ADD COLUMN marks json NOT NULL DEFAULT '{}'")
