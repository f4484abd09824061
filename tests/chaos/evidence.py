"""Reads what the verdict is based on: every topic from its beginning, and the leads that the services stored."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.chaos.agreement import LARGEST
from tests.chaos.model import MERGES, Oracle
from tests.chaos.outsiders import MARK
from tests.chaos.raw import Poison, appended, is_barrier, kind_of
from tests.infrastructure import Room, connected
from tests.topics import records

OUTPUTS = ("lead-scores", "lead-handoffs", "sla-clocks", "sla-breaches")
DEAD_LETTERS = ("engagements-dlq", "sales-activities-dlq", "lead-scores-dlq", "lead-handoffs-dlq")
PASSED_ON = ("lead-scores", "lead-handoffs")
"""Where all that is known of names is passed on."""
SECONDS = 120.0
"""Most that reading one topic may take."""


async def _records(room: Room, topic: str) -> AsyncIterator[Any]:
    """Every record of the topic that is an event and was not aborted."""
    async with asyncio.timeout(SECONDS):
        async for record in records(room.bootstrap_servers, room.prefix + topic, "read_committed"):
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
    linked: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: {t: set() for t in PASSED_ON})
    """Topic -> the links (alias, lead) that were passed on there."""
    merged: dict[str, set[tuple[str, str, str, str]]] = field(default_factory=lambda: {t: set() for t in PASSED_ON})
    """Topic -> the merges and unmerges (kind, subject, alias, lead) that were passed on there."""
    clocks: defaultdict[str, dict[int, Told]] = field(default_factory=lambda: defaultdict(dict))
    dead_letters: dict[str, defaultdict[str, set[bytes]]] = field(
        default_factory=lambda: {topic: defaultdict(set) for topic in DEAD_LETTERS}
    )
    rejected: Counter[str] = field(default_factory=Counter)
    published: dict[str, Counter[str]] = field(default_factory=lambda: {topic: Counter() for topic in OUTPUTS})
    contents: dict[tuple[str, str], int] = field(default_factory=dict)
    """Topic and id -> a digest of the value."""
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


async def gather(room: Room, policy: Path) -> Evidence:
    """Reads everything; the relay must be quiet, or what is read later knows more than what was read first."""
    async with connected(room.url) as database:
        since = await database.fetchval("SELECT clock_timestamp()")
        found = Evidence(Oracle(policy), since, since)
        await _inputs(room, found)
        for topic in OUTPUTS:
            await _outputs(room, topic, found)
        for topic in DEAD_LETTERS:
            await _letters(room, topic, found)
        async for record in _records(room, "events-rejected"):
            found.rejected[json.loads(record.value)["item"].get("messageId")] += 1
        for lead, state in await database.fetch("SELECT lead_id, state::text FROM scorer.lead"):
            if lead not in found.strangers:
                found.states[lead] = stored(found.oracle, json.loads(state))
        for lead, source, id_ in await database.fetch("SELECT lead_id, source, id FROM scorer.fact"):
            found.facts[lead].add((source, id_))
        found.until = await database.fetchval("SELECT clock_timestamp()")
        return found


async def _inputs(room: Room, found: Evidence) -> None:
    async for record in _records(room, "engagements"):
        if not found.outsiders("engagements", record):
            found.oracle.engagement(record)
    async for record in _records(room, "sales-activities"):
        if found.outsiders("sales-activities", record):
            continue
        try:
            found.oracle.activity(record)
        except Poison as poison:
            found.unread.append(f"sales-activities: {poison}")


async def _letters(room: Room, topic: str, found: Evidence) -> None:
    async for record in _records(room, topic):
        told = {name: value.decode(errors="replace") for name, value in record.headers if name[:6] == "x-dlq-"}
        of = (told["x-dlq-topic"], int(told["x-dlq-partition"]), int(told["x-dlq-offset"]))
        if of not in found.outside:
            found.dead_letters[topic][told["x-dlq-reason"]].add(record.value or b"")


def stored(oracle: Oracle, state: dict[str, Any]) -> Standing:
    """What the scorer's stored tally is worth, by the model's own reckoning."""
    basis = state["tally"]["basis"]
    counts = {key: len(kept["places"]) for key, kept in basis["kept"].items()}
    attributes = {name: value for name, (_, value) in basis["values"].items()}
    if isinstance(within := attributes.get("company_size"), str):
        attributes["company_size"] = [int(end or LARGEST) for end in within.split("..")]
    return Standing(state["published"]["version"], *oracle.policy.worth(counts, attributes))


async def _outputs(room: Room, topic: str, found: Evidence) -> None:
    async for record in _records(room, topic):
        if not found.outsiders(topic, record) and (record.key or b"").decode() not in found.strangers:
            take(topic, record, found)


def take(topic: str, record: Any, found: Evidence) -> None:
    """Takes a record of an output topic in; a repeat only has to say the same."""
    event, published = json.loads(record.value), found.published[topic]
    published[event["id"]] += 1
    if found.contents.setdefault((topic, event["id"]), hash(record.value)) != hash(record.value):
        found.forked.append(f"{topic} {event['id']}")
    if published[event["id"]] == 1:
        _take(topic, event, appended(record), found)


def _take(topic: str, event: dict[str, Any], published: datetime, found: Evidence) -> None:
    lead, data, kind = event["subject"], event["data"], kind_of(event)
    if topic == "lead-handoffs":
        found.oracle.handoff(event, published)
    if kind == "lead.linked":
        found.linked[topic].add((data["alias"], data["lead"]))
    elif kind in MERGES:
        found.merged[topic].add((kind, lead, data["alias"], data["lead"]))
    elif topic == "lead-scores" and kind != "lead.scored":
        found.unread.append(f"{topic}: {kind} of {lead}")
    elif topic == "lead-scores":
        standing = Standing(data["version"], data["score"], data["band"])
        found.scores[lead] = max(found.scores.get(lead, standing), standing, key=lambda one: one.version)
    elif topic != "lead-handoffs":
        due = datetime.fromisoformat(data["due"]).astimezone(UTC)
        versions = found.clocks[data["clock_id"]]
        if data["version"] in versions:
            found.forked.append(f"{topic} {data['clock_id']} version {data['version']}")
        versions.setdefault(data["version"], Told(kind, lead, due, data.get("breach_id"), published))
