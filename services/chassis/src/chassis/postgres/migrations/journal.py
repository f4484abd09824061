"""The journal's tables as every service has them; a later change is a new function beside this one."""

from alembic import op

JOURNAL_V1 = (
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


MARKS_V2 = "ALTER TABLE partition ADD COLUMN marks json NOT NULL DEFAULT '{}'"

POLICY_V3 = "ALTER TABLE partition ADD COLUMN policy int NOT NULL DEFAULT 0, ADD COLUMN judged_until text"

RECEIVED_V4 = "ALTER TABLE fact ADD COLUMN received_at timestamptz"
"""Null in rows of before, and of owners of version 3: what reads it takes the fact's `time` then."""

AGREED_V5 = """
    CREATE TABLE policy (
        name text NOT NULL, version int NOT NULL, digest text NOT NULL,
        known_since timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (name, version)
    )"""


def create_v1() -> None:
    """Creates the journal in the schema that the connection works in."""
    for statement in JOURNAL_V1:
        op.execute(statement)


def add_marks_v2() -> None:
    """Adds what a partition's owner knows its logs again by; owners of version 1 work on beside it."""
    op.execute(MARKS_V2)


def add_policy_v3() -> None:
    """Adds how far which version of the policy has judged the leads; owners of version 2 work on beside it."""
    op.execute(POLICY_V3)


def add_received_v4() -> None:
    """Adds when the broker got each fact's first record; owners of version 3 work on beside it."""
    op.execute(RECEIVED_V4)


def add_agreed_v5() -> None:
    """Adds what each version of a policy was known with; owners of version 4 work on beside it."""
    op.execute(AGREED_V5)
