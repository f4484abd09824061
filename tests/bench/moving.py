"""How long others wait while the facts of one device move to its person: leads of the two partitions concerned."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

import asyncpg

from baton_local.topics import PARTITIONS
from chassis.kafka.publisher import Publisher, Record
from chassis.process.settings import Kafka
from schemas.engagements import Engagement, EngagementRecorded, LeadLinked, Link
from schemas.identity import Identifiers, derived_id, lead_id_of, partition_of
from tests.bench import cpu, workload
from tests.bench.measure import Measured, Servers, bench_relay
from tests.bench.scorer import DONE, fill
from tests.infrastructure import Room, connected, room
from tests.topics import records
from tests.until import until

FACTS, DAYS, RATE, SECONDS, MOST_SECONDS = 100_000, 85, 100, 15, 600
"""Facts of the device and over how many days; others' events a second, how long before the move; most of the move."""
MOVED = "SELECT coalesce(sum((totals->>'moved')::int), 0) FROM partition"
DEVICE = Identifiers(anonymous_id="bench-device")
PERSON = Identifiers(email="bench@example.com")


@dataclass(frozen=True)
class Move:
    """The latency is that of the others' scores, from append to append by the broker's clock, during the move."""

    name: str

    async def rounds(self, servers: Servers, count: int) -> AsyncIterator[Measured]:
        """Each round in a database of its own. Raises TimeoutError where the move does not end."""
        for _ in range(count):
            async with room(servers.infrastructure) as where, bench_relay(where, "scorer") as running:
                await running.migrate("scorer")
                await fill(where, _past())
                process = await running.launch("scorer")
                async with connected(where.url, "scorer") as connection:
                    await until(partial(_all_read, connection), "the device's past to be read", MOST_SECONDS)
                    yield await _measured(where, connection, servers, process.pid)


SCENARIOS = (Move("neighbours: 100k facts of one device move to its person"),)


async def _measured(where: Room, connection: asyncpg.Connection, servers: Servers, pid: int) -> Measured:
    kafka, neighbours = Kafka(bootstrap_servers=where.bootstrap_servers, prefix=where.prefix), _neighbours()
    async with Publisher(kafka) as publisher:
        await _send(publisher, neighbours, connection, time.monotonic() + SECONDS, most=None)
        before = await _latencies(where)
        spent = (cpu.cpu_of(pid), servers.postgres_cpu(), servers.kafka_cpu())
        began = time.monotonic()
        await publisher.publish([_link()])
        await _send(publisher, neighbours, connection, began + MOST_SECONDS, most=FACTS)
        seconds = time.monotonic() - began
    after = (cpu.cpu_of(pid), servers.postgres_cpu(), servers.kafka_cpu())
    during = {lead: delay for lead, delay in (await _latencies(where)).items() if lead not in before}
    parts = zip(("worker", "postgres", "broker"), spent, after, strict=True)
    alone, meanwhile = _percentiles(before), _percentiles(during)
    note = f"moved in {seconds:.0f} s; before it {alone['p50']:.0f} / {alone['p99']:.0f} ms"
    return Measured(FACTS / seconds, {part: (b - a) / FACTS for part, a, b in parts}, meanwhile, note)


async def _send(
    publisher: Publisher, events: Iterator[Record], connection: asyncpg.Connection, deadline: float, most: int | None
) -> None:
    """Publishes RATE events a second until the deadline, or until `most` facts have moved and their copies are read."""
    last, quiet_since = None, time.monotonic()
    while (now := time.monotonic()) < deadline:
        await publisher.publish([next(events) for _ in range(RATE // 10)])
        if most is not None:
            moved = await connection.fetchval(MOVED)
            last, quiet_since = (moved, now) if moved != last else (last, quiet_since)
            if moved > most and now - quiet_since > 2:
                return
        await asyncio.sleep(0.1)
    if most is not None:
        raise TimeoutError(f"{await connection.fetchval(MOVED)} of {most} facts moved in {MOST_SECONDS} s")


async def _all_read(connection: asyncpg.Connection) -> bool:
    return int(await connection.fetchval(DONE)) >= FACTS


async def _latencies(where: Room) -> Mapping[str, int]:
    """Neighbour -> milliseconds from its event to its score. One that has none yet is left out."""
    sent = {r.key: r.timestamp async for r in records(where.bootstrap_servers, f"{where.prefix}engagements")}
    found: dict[str, int] = {}
    async for record in records(where.bootstrap_servers, f"{where.prefix}lead-scores"):
        found.setdefault(record.key.decode(), record.timestamp - sent[record.key])
    others = {lead_id_of(**dict(DEVICE)), lead_id_of(**dict(PERSON))}
    return {lead: delay for lead, delay in found.items() if lead not in others}


def _percentiles(found: Mapping[str, int]) -> dict[str, float]:
    ordered = sorted(found.values())
    return {"p50": ordered[len(ordered) // 2], "p99": ordered[len(ordered) * 99 // 100]}


def _neighbours() -> Iterator[Record]:
    """An event of a new lead each, of the two partitions by turns."""
    mine = {partition_of(lead_id_of(**dict(names)).encode(), PARTITIONS) for names in (DEVICE, PERSON)}
    for number in count():
        names = Identifiers(email=f"neighbour-{number}@example.com")
        lead = lead_id_of(**dict(names))
        if partition_of(lead.encode(), PARTITIONS) in mine:
            yield _engaged(f"n-{number}", names, ("webinar_attended", None), datetime.now(UTC))


def _past() -> Iterator[Record]:
    """What the device did, in the order of its times."""
    first, step = datetime.now(UTC) - timedelta(days=DAYS), timedelta(days=DAYS) / FACTS
    for number in range(FACTS):
        yield _engaged(f"p-{number}", DEVICE, workload.KINDS[number % len(workload.KINDS)], first + step * number)


def _engaged(id_: str, names: Identifiers, what: tuple[str, str | None], at: datetime) -> Record:
    lead, (kind, content) = lead_id_of(**dict(names)), what
    data = Engagement(kind=kind, content=content, identifiers=names)
    event = EngagementRecorded(id=id_, source="segment/bench", subject=lead, time=at, data=data)
    return Record(event.topic, lead.encode(), event.encode())


def _link() -> Record:
    alias, lead = lead_id_of(**dict(DEVICE)), lead_id_of(**dict(PERSON))
    data, now = Link(alias=alias, lead=lead, alias_by="anonymous_id", lead_by="email"), datetime.now(UTC)
    id_ = derived_id("link", alias, lead)
    event = LeadLinked(id=id_, source="segment/bench", subject=alias, time=now, finaltime=True, data=data)
    return Record(event.topic, alias.encode(), event.encode())
