"""What a log is known again by."""

from chassis.postgres.migrations import journal

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    journal.add_marks_v2()
