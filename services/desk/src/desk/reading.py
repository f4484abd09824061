"""Reads the services' tables in read-only transactions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.partition.journal import Revision
from chassis.postgres.database import connected, engine_of
from chassis.process.settings import Database
from desk.lead.row import Row, Tombstone
from schemas.envelope import Decoder, Fact

BEYOND = "g"
"""Sorts after every lead's id, which has hex digits."""
_FACTS = text("""
SELECT data, time, fingerprint, coalesce(received_at, time) FROM fact WHERE lead_id = :lead_id
ORDER BY time, source COLLATE "C", id COLLATE "C"
""")
_ROW = text("SELECT CAST(state AS text), CAST(dropped AS text), erased, deleted FROM lead WHERE lead_id = :lead_id")
_NOW = text("SELECT now()")
_REVISIONS = text("SELECT part, policy, judged_until FROM partition ORDER BY part")
_EVER = text("SELECT CAST(coalesce(sum(CAST(totals->>:name AS bigint)), 0) AS bigint) FROM partition")
# Rows outside the time asked for are read and left out, so each statement ends after 2000 rows and in time.
# The limit is a literal: with a parameter a generic plan may sort the whole table.
_PAGE = text("""
SELECT lead_id, source, id, time, fingerprint, coalesce(received_at, time),
    CASE WHEN (CAST(:since AS timestamptz) IS NULL OR time >= :since)
    AND (CAST(:until AS timestamptz) IS NULL OR time < :until) THEN data END
FROM fact WHERE (lead_id, source, id) > (:lead_id, :source, :id) ORDER BY lead_id, source, id LIMIT 2000
""")
_EVERY_STATE = text("""
SELECT lead_id, CAST(state AS text) FROM lead
WHERE lead_id > :after AND (NOT :due OR due_at IS NOT NULL) ORDER BY lead_id LIMIT 1000
""")
_NAMED_STATES = text("""
SELECT lead_id, CAST(state AS text) FROM lead WHERE lead_id = ANY(:leads) AND state -> 'names' IS NOT NULL
""")
_STATES = text("""
SELECT lead_id, CAST(state AS text) FROM lead WHERE lead_id > :after AND lead_id <= :last ORDER BY lead_id
""")


@asynccontextmanager
async def one_instant(database: Database, service: str) -> AsyncIterator[tuple[AsyncConnection, datetime]]:
    """A connection to the service's schema in one read-only snapshot.

    It locks nothing; while it lasts, Postgres cannot remove what is deleted meanwhile. Raises Transient when the
    database cannot be reached.
    """
    async with connected(engine_of(database, service)) as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        async with connection.begin():
            yield connection, (await connection.execute(_NOW)).scalar_one()


async def facts_of(connection: AsyncConnection, decoder: Decoder, lead_id: str) -> list[Fact]:
    """Every fact of the lead, in the lead's order."""
    rows = (await connection.execute(_FACTS, {"lead_id": lead_id})).all()
    return [decoder.stored(*row) for row in rows]


async def row_of(connection: AsyncConnection, lead_id: str) -> Row | None:
    """The lead's row, None for a lead that the service does not know."""
    found = (await connection.execute(_ROW, {"lead_id": lead_id})).one_or_none()
    if found is None:
        return None
    state, dropped, erased, deleted = found
    return Row(state, json.loads(dropped or "{}"), None if erased is None else Tombstone(erased, deleted))


async def ever(connection: AsyncConnection, name: str = "facts") -> int:
    """The sum of a total over the partitions' rows."""
    count: int = (await connection.execute(_EVER, {"name": name})).scalar_one()
    return count


async def every_fact(
    connection: AsyncConnection, decoder: Decoder, since: datetime | None, until: datetime | None
) -> AsyncIterator[tuple[int, list[Fact]]]:
    """All leads' facts of a time in [since, until), by rising lead id, page by page.

    Each page comes with the number of rows read for it. One lead's facts may be on several pages, in no order of time.
    Consistent only within `one_instant`.
    """
    after = {"lead_id": "", "source": "", "id": ""}
    while rows := (await connection.execute(_PAGE, {**after, "since": since, "until": until})).all():
        yield len(rows), [decoder.stored(row[6], *row[3:6]) for row in rows if row[6] is not None]
        after = {"lead_id": rows[-1][0], "source": rows[-1][1], "id": rows[-1][2]}


async def states_between(connection: AsyncConnection, after: str, last: str) -> list[tuple[str, str]]:
    """Each lead's id and stored state for ids above `after` and up to `last`, by rising id."""
    return [(row[0], row[1]) for row in (await connection.execute(_STATES, {"after": after, "last": last})).all()]


async def named_states(connection: AsyncConnection, leads: Collection[str]) -> list[tuple[str, str]]:
    """Id and stored state of those of the scorer's leads that have other names or are one."""
    return [(row[0], row[1]) for row in (await connection.execute(_NAMED_STATES, {"leads": sorted(leads)})).all()]


async def every_state(connection: AsyncConnection, *, due: bool) -> AsyncIterator[list[tuple[str, str]]]:
    """Each lead's id and stored state by rising id, 1000 at a time; with `due` only of leads that have a due."""
    after = ""
    while rows := (await connection.execute(_EVERY_STATE, {"after": after, "due": due})).all():
        yield [(row[0], row[1]) for row in rows]
        after = rows[-1][0]


async def revisions(connection: AsyncConnection) -> dict[int, Revision]:
    """Partition -> how far which version of the policy has judged its leads; without partitions never claimed."""
    return {part: Revision(version, until) for part, version, until in (await connection.execute(_REVISIONS)).all()}
