"""How far which version of the policy has judged the leads of a partition."""

from chassis.postgres.migrations import journal

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    journal.add_policy_v3()
