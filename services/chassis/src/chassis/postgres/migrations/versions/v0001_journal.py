"""The journal's tables."""

from alembic import op

revision = "0001"
down_revision = None

JOURNAL = (
    """
    CREATE TABLE partition (
        part int PRIMARY KEY, epoch int NOT NULL, offsets json NOT NULL, out_seq bigint NOT NULL, totals json NOT NULL
    )""",
    """
    CREATE TABLE fact (
        lead_id text NOT NULL, source text NOT NULL, id text NOT NULL, part int NOT NULL, type text NOT NULL,
        time timestamptz NOT NULL, fingerprint bytea NOT NULL, data bytea NOT NULL,
        CONSTRAINT fact_pkey PRIMARY KEY (lead_id, source, id)
    )""",
    """
    CREATE TABLE lead (
        lead_id text PRIMARY KEY, part int NOT NULL, version bigint NOT NULL, due_at timestamptz, state json NOT NULL
    ) WITH (fillfactor = 75)""",
    "CREATE INDEX lead_due ON lead (part, due_at) WHERE due_at IS NOT NULL",
    """
    CREATE TABLE outbox (
        part int NOT NULL, seq bigint NOT NULL, topic text NOT NULL, partition int, key bytea, value bytea,
        headers json NOT NULL, created_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (part, seq)
    )""",
    "CREATE TABLE shared (name text PRIMARY KEY, version bigint NOT NULL, value json NOT NULL)",
    """
    CREATE FUNCTION require(held boolean) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT held THEN
            RAISE EXCEPTION 'a shared row was changed first' USING ERRCODE = 'BT001';
        END IF;
    END $$""",
)


def upgrade() -> None:
    for statement in JOURNAL:
        op.execute(statement)
