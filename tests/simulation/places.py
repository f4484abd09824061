"""Where a contract is tested: on the real servers, and on what stands in for them in the simulation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from random import Random
from typing import Protocol

import pytest

from chassis.consumer import Consumer
from chassis.journal import Journal, journals
from chassis.publisher import Publisher, Record
from schemas.topics import TOPICS
from tests.infrastructure import Room
from tests.integration.chassis.driving import House
from tests.simulation.kafka import LogConsumer, LogPublisher
from tests.simulation.log import Group, Log
from tests.simulation.network import Network
from tests.simulation.store import Store, journals_of

PARTS = 4
INPUTS = ("lead-scores", "sales-activities")


class Place(Protocol):
    """A log and a store that nobody else uses; consumers are of one group and read INPUTS."""

    journal: Callable[[int], AbstractAsyncContextManager[Journal]]

    def consumer(self) -> Consumer: ...
    def publisher(self) -> Publisher: ...
    async def transact(self, topic: str, part: int) -> None:
        """Writes one record in a transaction, as a foreign producer may."""


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


class Simulated:
    """The same without faults."""

    def __init__(self) -> None:
        self._network = Network(Random(1))
        self._network.calm = True
        self._log = Log(tuple(TOPICS), PARTS, lambda: int(datetime.now(UTC).timestamp() * 1000))
        self._group = Group(PARTS, Random(1), self._network)
        self.journal = journals_of(Store(lambda: datetime.now(UTC)), self._network)

    def consumer(self) -> Consumer:
        return LogConsumer(self._log, self._group, self._network, INPUTS, Random(1))

    def publisher(self) -> Publisher:
        return LogPublisher(self._log, self._network)

    async def transact(self, topic: str, part: int) -> None:
        await self.publisher().publish([Record(topic, b"key", b"value", partition=part)])
        self._log.mark(topic, part)


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
