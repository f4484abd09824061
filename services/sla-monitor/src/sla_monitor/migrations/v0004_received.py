"""When the broker got the first record of each fact."""

from chassis.postgres.migrations import journal

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    journal.add_received_v4()
