"""The journal's SQL statements, and what COMMIT is given; `journal.Journal` says what each one guarantees.

A statement reads as of its own start, but sees a row that it waited for as the other statement left it. So what must
agree with a locked row is read by a later statement, or stands in the locked row itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:  # for the types only: the journal imports this module
    from chassis.kafka.publisher import Headers
    from chassis.partition.journal import Batch

CLAIM = text("""
INSERT INTO partition AS p (part, epoch, offsets, out_seq, totals) VALUES (:part, 1, '{}', 0, '{}')
ON CONFLICT (part) DO UPDATE SET epoch = p.epoch + 1
RETURNING epoch, CAST(offsets AS text), out_seq, CAST(totals AS text), clock_timestamp(), CAST(marks AS text), policy,
          judged_until
""")
OWED_SINCE = text("SELECT min(created_at) FROM outbox WHERE part = :part")
LEFTOVERS = text("""
SELECT seq, topic, key, value, CAST(headers AS text), partition FROM outbox WHERE part = :part AND seq > :after
ORDER BY seq LIMIT 1000
""")
# LATERAL with LIMIT 1: `= ANY` prepared on an empty table keeps a bad plan for ever.
LEADS = text("""
SELECT l.lead_id, l.version, l.due_at, CAST(l.state AS text), l.erased, CAST(l.dropped AS text), l.deleted
FROM unnest(CAST(:leads AS text[])) AS u(lead_id)
CROSS JOIN LATERAL (SELECT * FROM lead WHERE lead.lead_id = u.lead_id LIMIT 1) AS l
""")
FINGERPRINTS = text("""
SELECT u.n, f.fingerprint
FROM unnest(CAST(:leads AS text[]), CAST(:sources AS text[]), CAST(:ids AS text[]))
    WITH ORDINALITY AS u(lead_id, source, id, n)
CROSS JOIN LATERAL (
    SELECT fingerprint FROM fact WHERE fact.lead_id = u.lead_id AND fact.source = u.source AND fact.id = u.id LIMIT 1
) AS f
""")
FACTS = text("""
SELECT u.lead_id, f.data, f.time, f.fingerprint, coalesce(f.received_at, f.time)
FROM unnest(CAST(:leads AS text[])) AS u(lead_id)
CROSS JOIN LATERAL (
    SELECT data, time, fingerprint, received_at FROM fact WHERE fact.lead_id = u.lead_id LIMIT 1000000
) AS f
""")
SLICES = text("""
SELECT u.lead_id, f.data, f.time, f.fingerprint, coalesce(f.received_at, f.time)
FROM unnest(CAST(:leads AS text[]), CAST(:sources AS text[]), CAST(:ids AS text[])) AS u(lead_id, source, id)
CROSS JOIN LATERAL (
    SELECT data, time, fingerprint, received_at FROM fact
    WHERE fact.lead_id = u.lead_id AND (fact.source, fact.id) > (u.source, u.id)
    ORDER BY fact.source, fact.id LIMIT :most
) AS f
""")
DUE = text("""
SELECT lead_id, version, due_at, CAST(state AS text), erased, CAST(dropped AS text), deleted, clock_timestamp()
FROM lead WHERE part = :part AND due_at <= clock_timestamp() ORDER BY due_at LIMIT :most
""")
BEYOND = text("""
SELECT lead_id, version, due_at, CAST(state AS text), erased, CAST(dropped AS text), deleted, clock_timestamp()
FROM lead WHERE part = :part AND lead_id > :after ORDER BY lead_id LIMIT :most
""")
NEXT_DUE = text("SELECT min(due_at) FROM lead WHERE part = :part AND due_at IS NOT NULL")
SHARED = text("""
WITH new AS (
    INSERT INTO shared (name, version, value) SELECT u.name, 0, 'null' FROM unnest(CAST(:names AS text[])) AS u(name)
    ON CONFLICT (name) DO NOTHING RETURNING name, version, value
)
SELECT name, version, CAST(value AS text) FROM new
UNION ALL SELECT name, version, CAST(value AS text) FROM shared WHERE name = ANY(CAST(:names AS text[]))
""")
COMMIT = text("""
WITH f AS (
    UPDATE partition SET offsets = CAST(:offsets AS json), marks = CAST(:marks AS json), out_seq = :out_seq,
        totals = CAST(:totals AS json), policy = CAST(:policy AS int), judged_until = CAST(:judged_until AS text)
    WHERE part = :part AND epoch = :epoch RETURNING part
), facts AS (
    INSERT INTO fact (lead_id, source, id, part, type, time, fingerprint, data, received_at)
    SELECT u.lead_id, u.source, u.id, f.part, u.type, u.time, u.fingerprint, u.data, u.received_at
    FROM f, unnest(CAST(:fact_leads AS text[]), CAST(:fact_sources AS text[]), CAST(:fact_ids AS text[]),
        CAST(:fact_types AS text[]), CAST(:fact_times AS timestamptz[]), CAST(:fact_fingerprints AS bytea[]),
        CAST(:fact_data AS bytea[]), CAST(:fact_received AS timestamptz[]))
        AS u(lead_id, source, id, type, time, fingerprint, data, received_at)
), erased AS (  -- by place, not by a join: as for LEADS, a plan made on an empty table must not be kept
    DELETE FROM fact WHERE ctid = ANY(ARRAY(
        SELECT l.ctid FROM f, unnest(CAST(:span_leads AS text[]), CAST(:span_starts AS timestamptz[]),
            CAST(:span_ends AS timestamptz[])) AS u(lead_id, starts, ends)
        CROSS JOIN LATERAL (
            SELECT ctid FROM fact WHERE fact.lead_id = u.lead_id AND fact.time >= coalesce(u.starts, '-infinity')
                AND fact.time < coalesce(u.ends, 'infinity')
                AND (fact.lead_id, fact.source, fact.id) NOT IN (  -- those are deleted as replaced, and not counted
                    SELECT * FROM unnest(CAST(:replaced_leads AS text[]), CAST(:replaced_sources AS text[]),
                        CAST(:replaced_ids AS text[]))
                )
            LIMIT 1000000
        ) AS l
    )) RETURNING lead_id
), deleted AS MATERIALIZED (
    SELECT u.lead_id, u.unwritten + (SELECT count(*) FROM erased WHERE erased.lead_id = u.lead_id) AS facts
    FROM unnest(CAST(:erased_leads AS text[]), CAST(:unwritten AS bigint[])) AS u(lead_id, unwritten)
), replaced AS (
    DELETE FROM fact WHERE ctid = ANY(ARRAY(
        SELECT l.ctid FROM f, unnest(CAST(:replaced_leads AS text[]), CAST(:replaced_sources AS text[]),
            CAST(:replaced_ids AS text[])) AS u(lead_id, source, id)
        CROSS JOIN LATERAL (
            SELECT ctid FROM fact WHERE fact.lead_id = u.lead_id AND fact.source = u.source AND fact.id = u.id LIMIT 1
        ) AS l
    ))
), leads AS (
    INSERT INTO lead (lead_id, part, version, due_at, state, erased, dropped, deleted)
    SELECT u.lead_id, f.part, u.version, u.due_at, CAST(u.state AS json), u.erased, CAST(u.dropped AS json),
        deleted.facts
    FROM f CROSS JOIN unnest(CAST(:leads AS text[]), CAST(:versions AS bigint[]), CAST(:dues AS timestamptz[]),
        CAST(:states AS text[]), CAST(:erased AS timestamptz[]), CAST(:dropped AS text[]))
        AS u(lead_id, version, due_at, state, erased, dropped)
    LEFT JOIN deleted ON deleted.lead_id = u.lead_id
    ON CONFLICT (lead_id) DO UPDATE
    SET part = excluded.part, version = excluded.version, due_at = excluded.due_at, state = excluded.state,
        erased = excluded.erased, dropped = excluded.dropped,
        deleted = coalesce(lead.deleted + excluded.deleted, excluded.deleted, lead.deleted)
), written AS (
    INSERT INTO outbox (part, seq, topic, partition, key, value, headers)
    SELECT f.part, u.seq, u.topic, u.partition, u.key, u.value, CAST(u.headers AS json)
    FROM f, unnest(CAST(:seqs AS bigint[]), CAST(:topics AS text[]), CAST(:keys AS bytea[]), CAST(:values AS bytea[]),
        CAST(:headers AS text[]), CAST(:partitions AS int[])) AS u(seq, topic, key, value, headers, partition)
), published AS (  -- and acknowledged: no later owner has to publish them
    DELETE FROM outbox USING f WHERE outbox.part = f.part AND outbox.seq <= :acknowledged
), swapped AS (
    UPDATE shared SET version = shared.version + 1, value = CAST(u.value AS json)
    FROM f, unnest(CAST(:shared_names AS text[]), CAST(:shared_versions AS bigint[]), CAST(:shared_values AS text[]))
        AS u(name, version, value)
    WHERE shared.name = u.name AND shared.version = u.version RETURNING 1
)
SELECT (SELECT count(*) FROM f), clock_timestamp(),
       require_rows((SELECT count(*) FROM f) = 0
                    OR (SELECT count(*) FROM swapped) = cardinality(CAST(:shared_names AS text[])))
""")


def parameters(batch: Batch) -> dict[str, Any]:
    """What COMMIT writes, by the names of its parameters."""
    facts = sorted(batch.facts, key=lambda fact: fact.event.subject)  # neighbours in the index are written together
    leads = sorted(batch.leads, key=lambda row: row.lead_id)
    progress, outbox, shared = batch.progress, batch.outbox, batch.shared
    spans = [(lead, span) for lead, erased in batch.erased.items() for span in erased]
    return {
        "offsets": json.dumps(progress.offsets),
        "marks": json.dumps(progress.marks),
        "policy": progress.revision.version,
        "judged_until": progress.revision.until,
        "out_seq": progress.out_seq,
        "totals": json.dumps(progress.totals),
        "fact_leads": [fact.event.subject for fact in facts],
        "fact_sources": [fact.event.source for fact in facts],
        "fact_ids": [fact.event.id for fact in facts],
        "fact_types": [fact.event.type for fact in facts],
        "fact_times": [fact.time for fact in facts],
        "fact_fingerprints": [fact.fingerprint for fact in facts],
        "fact_data": [fact.value for fact in facts],
        "fact_received": [fact.received for fact in facts],
        "erased_leads": list(batch.erased),
        "unwritten": [batch.unwritten.get(lead, 0) for lead in batch.erased],
        "span_leads": [lead for lead, _ in spans],
        "span_starts": [start for _, (start, _) in spans],
        "span_ends": [end for _, (_, end) in spans],
        "replaced_leads": [lead for lead, _, _ in batch.replaced],
        "replaced_sources": [source for _, source, _ in batch.replaced],
        "replaced_ids": [id_ for _, _, id_ in batch.replaced],
        "leads": [row.lead_id for row in leads],
        "versions": [row.version for row in leads],
        "dues": [row.due for row in leads],
        "states": [row.state for row in leads],
        "erased": [row.erased for row in leads],
        "dropped": [json.dumps(row.dropped) if row.dropped else None for row in leads],
        "seqs": list(range(progress.out_seq - len(outbox) + 1, progress.out_seq + 1)),
        "topics": [record.topic for record in outbox],
        "keys": [record.key for record in outbox],
        "values": [record.value for record in outbox],
        "partitions": [record.partition for record in outbox],
        "headers": [_stored(record.headers) for record in outbox],
        "shared_names": [name for name, _, _ in shared],
        "shared_versions": [version for _, version, _ in shared],
        "shared_values": [json.dumps(value) for _, _, value in shared],
    }


def _stored(headers: Headers) -> str:
    return json.dumps([(key, None if value is None else value.decode("latin-1")) for key, value in headers])


def headers_of(stored: str) -> Headers:
    """A record's headers from the outbox; their values may be any bytes, so each byte is kept as one character."""
    return [(key, None if value is None else value.encode("latin-1")) for key, value in json.loads(stored)]
