"""How far which version of the policy has judged a partition's leads; owners of version 2 work on beside it."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE partition ADD COLUMN policy int NOT NULL DEFAULT 0, ADD COLUMN judged_until text")
