"""What it costs that a person has several names: traffic as trackers send it, and the same events all by address."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from chassis.kafka.publisher import Record
from schemas.engagements import Engagement, EngagementRecorded, LeadLinked, Link
from schemas.envelope import Envelope
from schemas.identity import Identifiers, Name, derived_id
from tests.bench import cpu, workload
from tests.bench.measure import Measured, Servers, bench_relay
from tests.bench.scorer import DONE, fill
from tests.infrastructure import connected, room

EVENTS, VISITORS, KNOWN = 100_000, 20_000, 2_000
"""Engagements, devices that nobody ever logs in on, and people with a user id and an address."""
QUIET = 1.5
"""Seconds without progress after which all copies have been read, too."""


@dataclass(frozen=True)
class Names:
    """90 % of the events are anonymous, 8 % by a linked user id, 2 % with the address; or `plain`, all by address."""

    name: str
    plain: bool

    async def rounds(self, servers: Servers, count: int) -> AsyncIterator[Measured]:
        """Costs are for each engagement sent, links and copies among them."""
        for seed in range(count):
            async with room(servers.infrastructure) as where, bench_relay(where, "scorer") as running:
                await running.migrate("scorer")
                await fill(where, records(seed, plain=self.plain))
                process = await running.launch("scorer")
                async with connected(where.url, "scorer") as connection:
                    yield await _watch(connection, servers, process.pid)


SCENARIOS = (
    Names("scorer many names: 90 % anonymous, 8 % by user id", plain=False),
    Names("scorer one name: the same events by address", plain=True),
)


async def _watch(connection: asyncpg.Connection, servers: Servers, pid: int) -> Measured:
    done, began, last = 0, 0.0, time.monotonic()
    spent = before = (0.0, 0.0, 0.0)
    while done < EVENTS or time.monotonic() - last < QUIET:
        now = await connection.fetchval(DONE)
        if now > done:
            spent = (cpu.cpu_of(pid), servers.postgres_cpu(), servers.kafka_cpu())
            began, before = (began, before) if done else (time.monotonic(), spent)
            done, last = now, time.monotonic()
        await asyncio.sleep(0.05)
    worker, postgres, broker = ((after - first) / EVENTS for first, after in zip(before, spent, strict=True))
    costs = {"worker": worker, "postgres": postgres, "broker": broker}
    return Measured(EVENTS / (last - began), costs, note=f"{done:,} records")


def records(seed: int, *, plain: bool) -> Iterator[Record]:
    """The events in the order of their times."""
    chance, linked = random.Random(seed), set[str]()
    for number in range(EVENTS):
        part = chance.random()
        person = chance.randrange(KNOWN)
        names = Identifiers(user_id=f"u-{person}", email=f"u-{person}@example.com")
        if part < 0.9:
            visitor = chance.randrange(VISITORS)
            names = Identifiers(anonymous_id=f"a-{visitor}", email=f"a-{visitor}@example.com")
        ids = names.lead_ids()
        kind: Name = "email" if plain or part >= 0.98 else "user_id" if part >= 0.9 else "anonymous_id"
        event = _engagement(number, ids[kind], names if kind == "email" else names.model_copy(update={"email": None}))
        yield _record(event)
        if part >= 0.98 and not plain and ids["user_id"] not in linked:
            linked.add(ids["user_id"])
            yield _record(_link(ids["user_id"], ids["email"], event))


def _engagement(number: int, lead: str, names: Identifiers) -> EngagementRecorded:
    kind, content = workload.KINDS[number % len(workload.KINDS)]
    time = workload.START + timedelta(milliseconds=50 * number)
    data = Engagement(kind=kind, content=content, identifiers=names)
    return EngagementRecorded(id=f"n-{number}", source="segment/bench", subject=lead, time=time, data=data)


def _link(alias: str, lead: str, event: EngagementRecorded) -> LeadLinked:
    data = Link(alias=alias, lead=lead, alias_by="user_id", lead_by="email")
    id_ = derived_id("link", alias, lead)
    return LeadLinked(id=id_, source=event.source, subject=alias, time=event.time, finaltime=True, data=data)


def _record(event: Envelope) -> Record:
    return Record(event.topic, event.subject.encode(), event.encode())
