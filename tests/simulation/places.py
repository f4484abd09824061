"""The two sides of a contract suite: the real servers, and their simulation."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import Protocol
from unittest.mock import patch

import pytest

from chassis.kafka.consumer import Consumer
from chassis.kafka.publisher import Publisher, Record
from chassis.partition.journal import Journal, journals
from schemas.topics import TOPICS
from tests.infrastructure import Room, connected
from tests.integration.chassis.driving import House
from tests.simulation.kafka import LogConsumer, LogPublisher
from tests.simulation.log import Group, Log
from tests.simulation.network import Network
from tests.simulation.store import Store, journals_of
from tests.until import until

PARTS = 4
INPUTS = ("lead-scores", "sales-activities")


Waiting = Callable[[int], Awaitable[None]]
"""Returns when so many statements wait, for the disk or for a row that another one holds."""
_SLOW_DISK = (
    """CREATE OR REPLACE FUNCTION on_disk() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock_shared(13); RETURN NULL; END'""",
    "DROP TRIGGER IF EXISTS slow_disk ON partition",
    """CREATE CONSTRAINT TRIGGER slow_disk AFTER UPDATE ON partition DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (old.epoch = new.epoch) EXECUTE FUNCTION on_disk()""",
)
"""A commit waits, all written and its locks held, until nobody holds lock 13 any more."""
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


class Place(Protocol):
    """A log and a store that nobody else uses; consumers are of one group and read INPUTS."""

    journal: Callable[[int], AbstractAsyncContextManager[Journal]]

    def consumer(self) -> Consumer: ...
    def publisher(self) -> Publisher: ...
    async def transact(self, topic: str, part: int) -> None:
        """Writes one record in a transaction, as a foreign producer may."""

    def slow_disk(self) -> AbstractAsyncContextManager[Waiting]:
        """No commit is on the database's disk before the block ends; it holds its locks until then."""

    def transaction(self, topic: str, part: int) -> AbstractAsyncContextManager[None]:
        """A foreign producer's transaction, open during the block and aborted after it."""


class Real:
    """Kafka and Postgres."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.journal = journals(house.engine)

    def consumer(self) -> Consumer:
        return Consumer(self._house.kafka, "contract", INPUTS)

    def publisher(self) -> Publisher:
        return self._house.publisher()

    async def transact(self, topic: str, part: int) -> None:
        async with self._house.foreign_producer(transactional_id="a-platform") as producer, producer.transaction():
            await producer.send_and_wait(self._house.room.prefix + topic, b"value", key=b"key", partition=part)

    @asynccontextmanager
    async def slow_disk(self) -> AsyncIterator[Waiting]:
        async def waiting(count: int) -> None:
            async def seen() -> bool:
                return bool((await self._house.query(_WAITING))[0][0] == count)

            await until(seen, f"{count} statements to wait")

        for statement in _SLOW_DISK:
            await self._house.query(statement)
        async with connected(self._house.room.url) as connection:
            await connection.execute("SELECT pg_advisory_lock(13)")
            yield waiting

    @asynccontextmanager
    async def transaction(self, topic: str, part: int) -> AsyncIterator[None]:
        async with self._house.foreign_producer(transactional_id="another-platform") as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(self._house.room.prefix + topic, b"value", key=b"key", partition=part)
            try:
                yield
            finally:
                await producer.abort_transaction()


class Simulated:
    """The same without faults."""

    def __init__(self) -> None:
        self._network = Network(Random(1))
        self._network.calm = True
        self._log = Log(tuple(TOPICS), PARTS, lambda: int(datetime.now(UTC).timestamp() * 1000))
        self._group = Group(PARTS, Random(1), self._network)
        self._store = Store(lambda: datetime.now(UTC))
        self.journal = journals_of(self._store, self._network)

    def consumer(self) -> Consumer:
        return LogConsumer(self._log, self._group, self._network, INPUTS, Random(1))

    def publisher(self) -> Publisher:
        return LogPublisher(self._log, self._network)

    async def transact(self, topic: str, part: int) -> None:
        await self.publisher().publish([Record(topic, b"key", b"value", partition=part)])
        self._log.mark(topic, part)

    @asynccontextmanager
    async def slow_disk(self) -> AsyncIterator[Waiting]:
        async def waiting(count: int) -> None:
            await until(lambda: self._store.waiting == count, f"{count} statements to wait")

        disk = asyncio.Event()
        with patch.object(self._network, "disk", lambda _: disk.wait):
            yield waiting
        disk.set()

    @asynccontextmanager
    async def transaction(self, topic: str, part: int) -> AsyncIterator[None]:
        began = self._log.begin(topic, part)
        try:
            yield
        finally:
            self._log.finish(topic, part, began)


class OnRealServers:
    """Runs the tests of a contract on Kafka and Postgres."""

    @pytest.fixture
    async def place(self, own_room: Room) -> Place:
        house = House(own_room)
        await house.open()
        return Real(house)


class OnSimulatedOnes:
    """Runs the tests of a contract on what the simulation has in their place."""

    @pytest.fixture
    async def place(self) -> Place:
        return Simulated()
