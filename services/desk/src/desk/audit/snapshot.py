"""Reads the database at one instant, in a session that can write nothing and locks nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from ssl import SSLContext
from uuid import UUID

import asyncpg

from desk.audit.content import digest
from desk.audit.topics import Raw

FETCH = 5_000
FACTS = "SELECT lead_id, source, id, part, sha256(data) FROM {schema}.fact"
OUTBOX = "SELECT part, topic, partition, key, value, headers::text FROM {schema}.outbox ORDER BY part, seq"
UNKEPT = (
    "SELECT lead_id, part, coalesce((SELECT sum(value::bigint) FROM json_each_text(dropped)), 0)::bigint,"
    " coalesce(deleted, 0), erased IS NULL FROM {schema}.lead WHERE dropped IS NOT NULL OR deleted IS NOT NULL"
)
PARTITIONS = "SELECT part, offsets::text, out_seq, totals::text FROM {schema}.partition"


@dataclass(frozen=True, slots=True)
class Progress:
    """A partition's row: topic -> next offset, the number of the last output, the totals."""

    offsets: dict[str, int]
    out_seq: int
    totals: dict[str, int]


@dataclass(frozen=True, slots=True)
class Unkept:
    """How many events of a lead were dropped, and how many of its facts deleted; `living`: not erased as a whole."""

    part: int
    dropped: int
    deleted: int
    living: bool


@dataclass(slots=True)
class Books:
    """What a service's schema said at one instant; a fact is 36 bytes: lead, digest of its value, partition."""

    service: str
    partitions: dict[int, Progress] = field(default_factory=dict)
    facts: dict[bytes, bytes] = field(default_factory=dict)
    outbox: list[Raw] = field(default_factory=list)
    unkept: dict[str, Unkept] = field(default_factory=dict)
    """Lead -> what is kept of it no longer, for those that have any."""


class Database:
    """A connection that reads; every statement is bounded in time."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def now(self) -> datetime:
        """The database's time."""
        now: datetime = await self._connection.fetchval("SELECT clock_timestamp()")
        return now

    @asynccontextmanager
    async def one_instant(self) -> AsyncIterator[None]:
        """Everything read in the block is of one instant."""
        async with self._connection.transaction(isolation="repeatable_read", readonly=True):
            yield

    async def partitions(self, service: str) -> dict[int, Progress]:
        """Every partition's row."""
        rows = await self._connection.fetch(PARTITIONS.replace("{schema}", schema_of(service)))
        return {part: Progress(json.loads(offsets), seq, json.loads(totals)) for part, offsets, seq, totals in rows}

    def rows(self, statement: str, service: str) -> AsyncIterator[asyncpg.Record]:
        """The rows of a long result, some thousands at a time; only within `one_instant`."""
        cursor = self._connection.cursor(statement.replace("{schema}", schema_of(service)), prefetch=FETCH)
        return cursor.__aiter__()

    async def of_leads(self, statement: str, service: str, leads: Iterable[str]) -> list[asyncpg.Record]:
        """The current rows of these leads only."""
        names, found = list(leads), list[asyncpg.Record]()
        for start in range(0, len(names), FETCH):
            narrowed = statement.replace("{schema}", schema_of(service)) + " WHERE lead_id = ANY($1)"
            found += await self._connection.fetch(narrowed, names[start : start + FETCH])
        return found

    async def fact(self, service: str, key: tuple[str, str, str]) -> bytes | None:
        """A fact's value."""
        statement = f"SELECT data FROM {schema_of(service)}.fact WHERE (lead_id, source, id) = ($1, $2, $3)"  # noqa: S608
        data: bytes | None = await self._connection.fetchval(statement, *key)
        return data


@asynccontextmanager
async def reading(url: str, ssl: SSLContext | None = None) -> AsyncIterator[Database]:
    """A session that can write nothing."""
    connection = await asyncpg.connect(
        url.replace("postgresql+asyncpg://", "postgresql://", 1),
        ssl=ssl,
        timeout=10,
        command_timeout=60,
        server_settings={
            "application_name": "baton-audit",
            "default_transaction_read_only": "on",
            "statement_timeout": "30s",
            "lock_timeout": "5s",
            "jit": "off",
        },
    )
    try:
        yield Database(connection)
    finally:
        connection.terminate()


def schema_of(service: str) -> str:
    """Where the service keeps its tables."""
    return service.replace("-", "_")


def fact_of(row: asyncpg.Record) -> tuple[bytes, bytes]:
    """A row as key and value of `Books.facts`."""
    lead, source, id_, part, value = row
    return digest(lead, source, id_), UUID(lead).bytes + value[:16] + part.to_bytes(4, "big")


def part_of(fact: bytes) -> int:
    """The partition in a value of `Books.facts`."""
    return int.from_bytes(fact[32:], "big")


def unkept_of(row: asyncpg.Record) -> tuple[str, Unkept]:
    """A row as key and value of `Books.unkept`."""
    lead, *unkept = row
    return lead, Unkept(*unkept)


def raw_of(row: asyncpg.Record) -> Raw:
    """An outbox row as the record that it becomes."""
    part, topic, partition, key, value, headers = row
    decoded = {name: None if text is None else text.encode("latin-1") for name, text in json.loads(headers)}
    return Raw(topic, part if partition is None else partition, -1, -1, key, value, decoded)
