"""Links that earlier versions only kept take effect: their leads are ticked, and read them from their facts. So are
leads with an address that is not an ordinary one, since it may now have another spelling.

Only the scorer's schema has such leads. An owner of version 6 would score an alias, and forget its links in the state
that it writes. So its commits fail from now on (42883: the function has another name), as with 0006.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

UNREAD = """
    UPDATE lead SET due_at = clock_timestamp(),
        state = (left(state::text, -1) || ', "names": {"unread": true}}')::json
    WHERE erased IS NULL AND (
        lead_id IN (SELECT lead_id FROM fact WHERE type = 'baton.lead.linked.v1')
        OR state #>> '{tally,basis,email,1}' !~ '^[a-z0-9!#$%&''*+/=?^_`{|}~-]+(\\.[a-z0-9!#$%&''*+/=?^_`{|}~-]+)*'
            '@([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?$'
    )"""
ORDER = 'ALTER TABLE fact ALTER COLUMN source TYPE text COLLATE "C", ALTER COLUMN id TYPE text COLLATE "C"'
"""By code points, as Python orders texts: whether a move has passed a fact is decided without a query. Builds the
primary key's index anew."""
FENCE = "ALTER FUNCTION require_held(boolean) RENAME TO require_rows"


def upgrade() -> None:
    for statement in (UNREAD, ORDER, FENCE):
        op.execute(statement)
