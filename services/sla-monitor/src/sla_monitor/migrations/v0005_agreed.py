"""What each version of the policy was known with."""

from chassis.postgres.migrations import journal

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    journal.add_agreed_v5()
