"""Reads and writes a partition's rows in the service's Postgres schema; a batch is one fenced statement.

Tables: partition (the fence, offsets, totals), fact, lead, outbox, shared.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis.kafka.consumer import Received
from chassis.kafka.publisher import Record
from chassis.partition import sql
from chassis.postgres.database import connected, is_transient, sqlstate_of
from chassis.process.failures import DatabaseAway, Fenced, StatementTimeout, Transient
from schemas.envelope import Fact
from schemas.links import Spans

UNIQUE_VIOLATION = "23505"
QUERY_CANCELED = "57014"
SHARED_CONFLICT = "BT001"


class FactKnown(Transient):
    """A fact was in the table already: the cache was wrong, and nothing was written."""

    kind = "fact_known"


class SharedConflict(Transient):
    """Another partition changed a shared row first: nothing was written, decide again."""

    kind = "shared_rows"


class RefusedByDatabase(Exception):  # noqa: N818 - a verdict on the batch's content
    """The database cannot store a value of this batch (SQLSTATE 22 or 23)."""


@dataclass(frozen=True, slots=True)
class Revision:
    """The policy version that judges a partition's leads, up to and including the lead id `until`; None: all of
    them.
    """

    version: int = 0
    until: str | None = None


@dataclass(slots=True)
class Progress:
    """What one commit changes of a partition, all or nothing; the next owner continues from it."""

    offsets: dict[str, int] = field(default_factory=dict)
    """Topic -> the offset to read next."""
    marks: dict[str, int] = field(default_factory=dict)
    """Topic -> Kafka's time stamp of the last record read, by which the log is recognised."""
    totals: Counter[str] = field(default_factory=Counter)
    """Outcomes of all records since the partition's first."""
    revision: Revision = Revision()
    out_seq: int = 0
    """The number of the last output."""

    def copy(self) -> Progress:
        return Progress(dict(self.offsets), dict(self.marks), Counter(self.totals), self.revision, self.out_seq)

    def read(self, records: Sequence[Received]) -> None:
        """Counts the records, each topic's in order, and the gaps between them: their outcomes are in this commit."""
        self.totals["records"] += len(records)
        gaps, offsets, marks = 0, self.offsets, self.marks
        for record in records:
            topic, offset = record.topic, record.offset
            gaps += offset != offsets[topic]
            offsets[topic], marks[topic] = offset + 1, record.timestamp
        if gaps:
            self.totals["gaps"] += gaps


@dataclass(frozen=True, slots=True)
class Claim:
    """What the new owner of a partition starts from."""

    part: int
    epoch: int
    progress: Progress
    next_due: datetime | None
    now: datetime
    owed_since: datetime | None
    """When the oldest record of the outbox was written."""


@dataclass(frozen=True, slots=True)
class LeadRow:
    """A lead's row as stored. `erased`: since when; `dropped`: records not kept, by reason.

    `deleted`: facts deleted by erasures, counted by the commits that erase; here it is only read.
    """

    lead_id: str
    version: int
    due: datetime | None
    state: str
    erased: datetime | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    deleted: int = 0


@dataclass(slots=True)
class Batch:
    """The content of one commit. `outbox` rows have consecutive numbers up to the progress's `out_seq`."""

    progress: Progress
    facts: list[Fact] = field(default_factory=list)
    leads: list[LeadRow] = field(default_factory=list)
    outbox: list[Record] = field(default_factory=list)
    shared: list[tuple[str, int, Any]] = field(default_factory=list)
    erased: Mapping[str, Spans] = field(default_factory=dict)
    """Lead -> the times of which only this batch's facts stay."""
    unwritten: Mapping[str, int] = field(default_factory=dict)
    """Lead in `erased` -> how many facts are deleted besides those in the database."""
    replaced: list[tuple[str, str, str]] = field(default_factory=list)
    """Facts (lead, source, id) that are deleted, since newer ones include them."""


class Journal:
    """One partition's access to its service's schema, over its own connection.

    Every method but `claim` is one statement, and raises Transient where the same call may succeed on a new connection.
    """

    def __init__(self, connection: AsyncConnection, part: int) -> None:
        self._connection = connection
        self._part = part

    async def claim(self) -> Claim:
        """Takes the partition over: after its first statement no older owner can write.

        Everything else is read after that statement, so as the older owner's last commit left it.
        """
        [row] = await self._rows(sql.CLAIM, part=self._part)
        epoch, offsets, out_seq, totals, now, marks, version, until = row
        due = await self.next_due()
        [[owed_since]] = await self._rows(sql.OWED_SINCE, part=self._part)
        counted = Counter[str](json.loads(totals))
        progress = Progress(json.loads(offsets), json.loads(marks), counted, Revision(version, until), out_seq)
        return Claim(self._part, epoch, progress, due, now, owed_since)

    async def leftovers(self, after: int) -> list[tuple[int, Record]]:
        """The next outbox rows not known to be acknowledged, in order."""
        rows = await self._rows(sql.LEFTOVERS, part=self._part, after=after)
        return [
            (seq, Record(topic, key, value, sql.headers_of(headers), partition))
            for seq, topic, key, value, headers, partition in rows
        ]

    async def leads(self, lead_ids: Sequence[str]) -> list[LeadRow]:
        """The rows of those leads that have one."""
        return [_lead_row(row) for row in await self._rows(sql.LEADS, leads=lead_ids)]

    async def fingerprints(self, keys: Sequence[tuple[str, str, str]]) -> dict[int, bytes]:
        """Index in `keys` (lead, source, id) -> fingerprint, for those that are facts already."""
        leads, sources, ids = zip(*keys, strict=True)
        rows = await self._rows(sql.FINGERPRINTS, leads=list(leads), sources=list(sources), ids=list(ids))
        return {row[0] - 1: row[1] for row in rows}

    async def facts(self, leads: Sequence[str]) -> list[tuple[str, bytes, datetime, bytes, datetime]]:
        """Lead, value, effective time, fingerprint and append time of every fact of those leads."""
        return [(row[0], row[1], row[2], row[3], row[4]) for row in await self._rows(sql.FACTS, leads=list(leads))]

    async def slices(
        self, after: Sequence[tuple[str, str, str]], most: int
    ) -> list[tuple[str, bytes, datetime, bytes, datetime]]:
        """As `facts`: of each lead the first `most` after this (lead, source, id), by source and id."""
        leads, sources, ids = zip(*after, strict=True)
        rows = await self._rows(sql.SLICES, leads=list(leads), sources=list(sources), ids=list(ids), most=most)
        return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]

    async def due(self, most: int) -> tuple[datetime | None, list[LeadRow]]:
        """Leads whose due has come, the earliest first, and the database's time; None when there is none."""
        rows = await self._rows(sql.DUE, part=self._part, most=most)
        return (rows[-1][7] if rows else None), [_lead_row(row) for row in rows]

    async def beyond(self, lead_id: str, most: int) -> tuple[datetime | None, list[LeadRow]]:
        """As `due`: the next leads of the partition by id."""
        rows = await self._rows(sql.BEYOND, part=self._part, after=lead_id, most=most)
        return (rows[-1][7] if rows else None), [_lead_row(row) for row in rows]

    async def next_due(self) -> datetime | None:
        """When the partition's next lead is due."""
        [row] = await self._rows(sql.NEXT_DUE, part=self._part)
        due: datetime | None = row[0]
        return due

    async def shared(self, names: Sequence[str]) -> dict[str, tuple[int, Any]]:
        """Name -> (version, value) of the rows that all partitions share."""
        found: dict[str, tuple[int, Any]] = {}
        while not found.keys() >= set(names):  # a row that another partition inserts meanwhile is found the second time
            found = {row[0]: (row[1], json.loads(row[2])) for row in await self._rows(sql.SHARED, names=list(names))}
        return found

    async def commit(self, epoch: int, batch: Batch, acknowledged: int) -> datetime:
        """Writes all of the batch or nothing; returns the database's time.

        Deletes outbox rows up to `acknowledged`. Raises Fenced when a newer owner exists, FactKnown, SharedConflict,
        RefusedByDatabase; after Transient it is unknown whether the batch was written: claim again to find out.
        """
        try:
            [row] = await self._rows(
                sql.COMMIT, part=self._part, epoch=epoch, acknowledged=acknowledged, **sql.parameters(batch)
            )
        except DBAPIError as error:
            raise _meaning(error) from error
        if row[0] == 0:
            raise Fenced(f"partition {self._part}: epoch {epoch} is over")
        now: datetime = row[1]
        return now

    async def _rows(self, statement: Any, **parameters: Any) -> Sequence[Any]:
        try:
            return (await self._connection.execute(statement, parameters)).all()
        except (DBAPIError, OSError, TimeoutError) as error:
            if sqlstate_of(error) == QUERY_CANCELED:
                raise StatementTimeout("database: statement timeout") from error
            if is_transient(error):
                raise DatabaseAway(f"database: {sqlstate_of(error) or type(error).__name__}") from error
            raise


def journals(engine: AsyncEngine) -> Callable[[int], AbstractAsyncContextManager[Journal]]:
    """Opens a partition's journal on its own connection. Raises Transient when the database cannot be reached."""

    @asynccontextmanager
    async def journal_of(part: int) -> AsyncIterator[Journal]:
        async with connected(engine) as connection:
            yield Journal(connection, part)

    return journal_of


def _meaning(error: DBAPIError) -> Exception:
    state = sqlstate_of(error) or ""
    if state == SHARED_CONFLICT:
        return SharedConflict("another partition was first")
    if state == UNIQUE_VIOLATION and "fact_pkey" in str(error.orig):
        return FactKnown("a fact of the batch is known already")
    if state.startswith(("22", "23")):
        return RefusedByDatabase(state)
    return error


def _lead_row(row: Sequence[Any]) -> LeadRow:
    lead_id, version, due, state, erased, dropped, deleted = row[:7]
    return LeadRow(lead_id, version, due, state, erased, json.loads(dropped) if dropped else {}, deleted or 0)
