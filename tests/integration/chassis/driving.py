"""Drives the chassis on real servers: a process's supervisor, or one partition claimed by hand without a group."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

from chassis.kafka.consumer import Consumer, Received
from chassis.kafka.publisher import Publisher, Record
from chassis.partition.journal import Journal, journals
from chassis.partition.owner import Ownership
from chassis.partition.supervisor import Supervisor
from chassis.partition.worker import Links
from chassis.postgres import migrations
from chassis.postgres.database import connected, engine_of
from chassis.process.settings import Database, Kafka, Worker
from schemas.engagements import EngagementRecorded, Erasure, LeadErased
from schemas.envelope import Envelope
from schemas.identity import lead_id_of, partition_of
from schemas.links import Spans
from tests.builders import an_engagement
from tests.infrastructure import Room
from tests.integration.chassis.counting import Counting, Tally
from tests.topics import written
from tests.until import until

PARTS = range(4)


def leads(part: int, count: int) -> list[str]:
    """Leads of the partition."""
    found = (lead for n in range(100_000) if _part(lead := lead_id_of(user_id=f"u{n}")) == part)
    return [next(found) for _ in range(count)]


def _part(lead_id: str) -> int:
    return partition_of(lead_id.encode(), len(PARTS))


def engaged(id: str, lead: str, kind: str = "page_viewed", **fields: Any) -> EngagementRecorded:  # noqa: A002
    """An engagement that happened just now."""
    return an_engagement(kind, id=id, subject=lead, time=datetime.now(UTC), **fields)


def an_erasure(
    lead: str,
    id: str = "erase",  # noqa: A002
    time: datetime | None = None,
    spans: Spans | None = None,
) -> LeadErased:
    """An operator erases the lead, just now unless said, or only what it did at some times."""
    time = time or datetime.now(UTC)
    return LeadErased(id=id, source="baton/operator", subject=lead, time=time, data=Erasure(spans=spans))


def record(event: EngagementRecorded, **fields: Any) -> Record:
    """The event as its producer writes it."""
    return Record("engagements", event.subject.encode(), event.encode(), **fields)


def arrived(events: Sequence[Envelope | bytes], first: int = 0, part: int = 0) -> list[Received]:
    """The events as fetched from the partition, the first of them at offset `first`; bytes are a value as it is."""
    now = int(time.time() * 1000)
    found = []
    for offset, event in enumerate(events, first):
        value = event if isinstance(event, bytes) else event.encode()
        key = value[:36] if isinstance(event, bytes) else event.subject.encode()
        found.append(Received("engagements", part, offset, now, key, value, ()))
    return found


class House:
    """A room with the journal's schema in it, and what the tests need to look at it."""

    def __init__(self, room: Room, name: str = "scorer") -> None:
        self.room = room
        self.kafka = Kafka(bootstrap_servers=room.bootstrap_servers, prefix=room.prefix)
        self.database = Database(url=room.database_url(name))
        self.engine = engine_of(self.database, name)
        self._name = name

    async def open(self) -> None:
        await migrations.migrate(self.database, self._name)

    def links(self, service: Any, publisher: Publisher, resume: bool = False, **worker: Any) -> Links:
        """What one process of the service shares."""
        settings = Worker(**{"tick": timedelta(milliseconds=50), **worker})
        consumer = Consumer(self.kafka, service.name, tuple(service.inputs))
        return Links(consumer, publisher, journals(self.engine), settings, resume)

    def publisher(self) -> Publisher:
        return Publisher(self.kafka)

    async def publish(self, *records: Record) -> None:
        """Writes the records as any producer would."""
        async with self.publisher() as publisher:
            await publisher.publish(records)

    @contextlib.asynccontextmanager
    async def running(self, service: Any = None, **worker: Any) -> AsyncIterator[Supervisor[Any]]:
        """One process of the service, in its group; stopped in good order after the block."""
        stop = asyncio.Event()
        async with self.publisher() as publisher:
            service = service or Counting()
            supervisor = Supervisor(service, self.links(service, publisher, **worker))
            task = asyncio.create_task(supervisor.run(stop))
            try:
                yield supervisor
            finally:
                stop.set()
                await asyncio.wait_for(task, 25)

    @contextlib.asynccontextmanager
    async def claimed(
        self,
        service: Counting | None = None,
        part: int = 0,
        journal: type[Journal] = Journal,
        publisher: type[Publisher] = Publisher,
    ) -> AsyncIterator[Ownership[Tally]]:
        """The partition, claimed and drained."""
        service = service or Counting()
        async with connected(self.engine) as connection, publisher(self.kafka) as outlet:
            access = journal(connection, part)
            claim = await access.claim()
            offsets = {topic: claim.progress.offsets.get(topic, 0) for topic in service.inputs}
            ownership = Ownership(service, access, outlet, claim, offsets, partitions=len(PARTS))
            await ownership.committer.drain()
            yield ownership

    async def query(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of the service's schema."""
        return await self.room.query(self._name, statement, *arguments)

    async def states(self) -> dict[str, Tally]:
        """Lead -> its state, as stored."""
        rows = await self.query("SELECT lead_id, state::text FROM lead")
        return {row[0]: Counting().load(row[0], row[1]) for row in rows}

    async def totals(self) -> Counter[str]:
        """The durable totals, over all partitions."""
        found: Counter[str] = Counter()
        for row in await self.query("SELECT key, value::int FROM partition, json_each_text(totals)"):
            found[row[0]] += row[1]
        return found

    async def counted(self, name: str, least: int) -> bool:
        """Whether the total has come to `least`."""
        return (await self.totals())[name] >= least

    async def written(self, topic: str) -> list[Any]:
        """Every record of the topic, each partition's in order."""
        return await written(self.room.bootstrap_servers, self.room.prefix + topic)

    def foreign_producer(self, **options: Any) -> AIOKafkaProducer:
        """A producer that is not ours, for a block."""
        return AIOKafkaProducer(bootstrap_servers=self.room.bootstrap_servers, **options)


async def take_all(ownership: Ownership[Any], records: Sequence[Received]) -> int:
    """Has all of the records taken, in as many commits as it takes; returns how many they are."""
    done = 0
    while done < len(records):
        done += await ownership.take(records[done:])
    return done


def worker_of(supervisor: Supervisor[Tally], part: int) -> Any:
    """The worker of the partition."""
    return next(worker for worker in supervisor.workers if worker.part == part)


async def untroubled(supervisor: Supervisor[Tally]) -> None:
    """Waits until every partition is owned; one that stopped would stay so."""
    await until(lambda: supervisor.ready() is None, f"every partition to be owned: {supervisor.ready()}")


def works(supervisor: Supervisor[Tally], parts: int) -> bool:
    """Whether the process works on so many partitions."""
    return supervisor.ready() is None and len(supervisor.workers) == parts
