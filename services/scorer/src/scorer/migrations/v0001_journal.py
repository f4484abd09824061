"""The journal."""

from chassis.postgres.migrations import journal

revision = "0001"
down_revision = None


def upgrade() -> None:
    journal.create_v1()
