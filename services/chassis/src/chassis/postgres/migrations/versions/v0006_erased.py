"""When a lead was erased, and what of it is not kept, as columns: out of the services' states.

An owner of version 5 would go by the states, and keep what comes of an erased lead. So its commits fail from now on
(42883: the function has another name), its partitions stop, and an instance of this version takes them over.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

COLUMNS = "ALTER TABLE lead ADD COLUMN erased timestamptz, ADD COLUMN deleted bigint, ADD COLUMN dropped json"
MOVED = """
    UPDATE lead SET erased = (state #>> '{erased,at}')::timestamptz, deleted = (state #>> '{erased,facts}')::bigint,
        dropped = nullif(state::jsonb -> 'unkept', '{}')::json,
        state = (SELECT json_object_agg(key, value) FROM json_each(state) WHERE key NOT IN ('erased', 'unkept'))
    WHERE state ->> 'erased' IS NOT NULL OR state ->> 'unkept' <> '{}'"""
"""The rest of a state keeps its order, which jsonb would not keep: a digest of the scorer depends on it."""
FENCE = "ALTER FUNCTION require(boolean) RENAME TO require_held"


def upgrade() -> None:
    for statement in (COLUMNS, MOVED, FENCE):
        op.execute(statement)
