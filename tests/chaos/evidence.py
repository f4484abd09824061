"""Reads what the verdict is based on: every topic from its beginning, and the leads that the services stored."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from baton_local.topics import PARTITIONS
from tests.chaos.model import Oracle
from tests.chaos.outsiders import MARK
from tests.chaos.raw import Poison, appended, is_barrier

OUTPUTS = ("lead-scores", "lead-handoffs", "sla-clocks", "sla-breaches")
DEAD_LETTERS = ("engagements-dlq", "sales-activities-dlq", "lead-scores-dlq", "lead-handoffs-dlq")
SECONDS = 120.0
"""Most that reading one topic may take."""


@dataclass(frozen=True)
class System:
    """Where a relay keeps its topics and its tables, under a role that may read them all, and its policy's file."""

    bootstrap_servers: str
    prefix: str
    database_url: str
    policy: Path

    @asynccontextmanager
    async def database(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection; raises OSError and asyncpg's errors."""
        connection = await asyncpg.connect(self.database_url, timeout=10, command_timeout=60)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)

    @asynccontextmanager
    async def kafka(self) -> AsyncIterator[Any]:
        """A consumer without a group, to which aborted records are not there."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap_servers, enable_auto_commit=False, isolation_level="read_committed"
        )
        async with asyncio.timeout(15):
            await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()

    async def ends(self, consumer: Any, topic: str) -> dict[TopicPartition, int]:
        """The topic's partitions with their present ends."""
        parts = [TopicPartition(self.prefix + topic, part) for part in range(PARTITIONS)]
        ends: dict[TopicPartition, int] = await consumer.end_offsets(parts)
        return ends

    async def records(self, topic: str) -> AsyncIterator[Any]:
        """Every record from the beginning to the present end, those of a partition in order."""
        async with self.kafka() as consumer, asyncio.timeout(SECONDS):
            ends = await self.ends(consumer, topic)
            consumer.assign(list(ends))
            for part in ends:
                consumer.seek(part, 0)
            while any([await consumer.position(part) < end for part, end in ends.items()]):
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    for record in batch:
                        if not is_barrier(record):
                            yield record


@dataclass(frozen=True)
class Standing:
    """A lead's score as of a version, published or stored."""

    version: int
    points: float
    band: str

    @property
    def worth(self) -> tuple[float, str]:
        """Without the version, as the model says it."""
        return (self.points, self.band)


@dataclass(frozen=True)
class Told:
    """One event of a clock, and when it was first published."""

    kind: str
    lead: str
    due: datetime
    breach_id: str | None
    published: datetime


@dataclass
class Evidence:
    """`since` and `until` are the database's time around the reading; `published` counts the records of each id."""

    oracle: Oracle
    since: datetime
    until: datetime
    scores: dict[str, Standing] = field(default_factory=dict)
    states: dict[str, Standing] = field(default_factory=dict)
    facts: defaultdict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    clocks: defaultdict[str, dict[int, Told]] = field(default_factory=lambda: defaultdict(dict))
    dead_letters: dict[str, defaultdict[str, set[bytes]]] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    published: dict[str, Counter[str]] = field(default_factory=dict)
    forked: list[str] = field(default_factory=list)
    """Ids, and versions of clocks and breaches, that were published with two contents."""
    unread: list[str] = field(default_factory=list)
    outside: set[tuple[str, int, int]] = field(default_factory=set)
    """Topic, partition and offset of records that outsiders wrote, which only the auditor judges."""
    strangers: set[str] = field(default_factory=set)
    """The leads that those records are about, and no other."""

    def outsiders(self, topic: str, record: Any) -> bool:
        """Whether an outsider wrote the record; notes where it is and who it is about."""
        if not any(name == MARK for name, _ in record.headers):
            return False
        self.outside.add((topic, record.partition, record.offset))
        self.strangers.add((record.key or b"").decode(errors="replace"))
        return True


async def gather(system: System) -> Evidence:
    """Reads everything; the relay must be quiet, or what is read later knows more than what was read first."""
    async with system.database() as database:
        since = await database.fetchval("SELECT clock_timestamp()")
        found = Evidence(Oracle(system.policy), since, since)
        await _inputs(system, found)
        for topic in OUTPUTS:
            await _outputs(system, topic, found)
        for topic in DEAD_LETTERS:
            await _letters(system, topic, found)
        async for record in system.records("events-rejected"):
            found.rejected[json.loads(record.value)["item"].get("messageId")] += 1
        for lead, state in await database.fetch("SELECT lead_id, state::text FROM scorer.lead"):
            if lead not in found.strangers:
                found.states[lead] = stored(found.oracle, json.loads(state))
        for lead, source, id_ in await database.fetch("SELECT lead_id, source, id FROM scorer.fact"):
            found.facts[lead].add((source, id_))
        found.until = await database.fetchval("SELECT clock_timestamp()")
        return found


async def _inputs(system: System, found: Evidence) -> None:
    async for record in system.records("engagements"):
        if not found.outsiders("engagements", record):
            found.oracle.engagement(record)
    async for record in system.records("sales-activities"):
        if found.outsiders("sales-activities", record):
            continue
        try:
            found.oracle.activity(record)
        except Poison as poison:
            found.unread.append(f"sales-activities: {poison}")


async def _letters(system: System, topic: str, found: Evidence) -> None:
    letters = found.dead_letters[topic] = defaultdict(set)
    async for record in system.records(topic):
        told = {name: value.decode(errors="replace") for name, value in record.headers if name[:6] == "x-dlq-"}
        of = (told["x-dlq-topic"], int(told["x-dlq-partition"]), int(told["x-dlq-offset"]))
        if of not in found.outside:
            letters[told["x-dlq-reason"]].add(record.value or b"")


def stored(oracle: Oracle, state: dict[str, Any]) -> Standing:
    """What the scorer's stored tally is worth, by the model's own reckoning."""
    basis = state["tally"]["basis"]
    counts = {key: len(kept["places"]) for key, kept in basis["kept"].items()}
    attributes = {name: value for name, (_, value) in basis["values"].items()}
    return Standing(state["published"]["version"], *oracle.policy.worth(counts, attributes))


async def _outputs(system: System, topic: str, found: Evidence) -> None:
    contents: dict[str, int] = {}
    published = found.published[topic] = Counter()
    async for record in system.records(topic):
        if found.outsiders(topic, record) or (record.key or b"").decode() in found.strangers:
            continue
        event = json.loads(record.value)
        published[event["id"]] += 1
        if contents.setdefault(event["id"], hash(record.value)) != hash(record.value):
            found.forked.append(f"{topic} {event['id']}")
        if published[event["id"]] == 1:
            _take(topic, event, appended(record), found)


def _take(topic: str, event: dict[str, Any], published: datetime, found: Evidence) -> None:
    lead, data = event["subject"], event["data"]
    if topic == "lead-handoffs":
        found.oracle.handoff(event, published)
    elif topic == "lead-scores":
        standing = Standing(data["version"], data["score"], data["band"])
        found.scores[lead] = max(found.scores.get(lead, standing), standing, key=lambda one: one.version)
    else:
        kind = event["type"].removeprefix("baton.").removesuffix(".v1")
        due = datetime.fromisoformat(data["due"]).astimezone(UTC)
        versions = found.clocks[data["clock_id"]]
        if data["version"] in versions:
            found.forked.append(f"{topic} {data['clock_id']} version {data['version']}")
        versions.setdefault(data["version"], Told(kind, lead, due, data.get("breach_id"), published))
