"""Barriers: what proves an input read up to an instant, and how many are written."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from chassis.kafka.consumer import Received
from chassis.kafka.publisher import Record
from chassis.partition.barrier import NEVER, PAUSE_SECONDS, Barriers, is_barrier
from schemas.barrier import BARRIER_KEY
from tests.builders import at
from tests.simulation.kafka import LogPublisher
from tests.simulation.log import Log
from tests.simulation.loop import Loop
from tests.simulation.network import Network

ONE, OTHER = TOPICS = ("lead-handoffs", "sales-activities")
PART = 1


class Bench:
    """A partition's barriers on a log whose clock is an hour ahead of the database's."""

    def __init__(self, publisher: type[LogPublisher]) -> None:
        network = Network(Random(1))
        network.calm = True
        ahead = int((at(60) - datetime.fromtimestamp(0, UTC)) / timedelta(milliseconds=1))
        self.log = Log(TOPICS, 2, lambda: ahead)
        self.publisher: Any = publisher(self.log, network)
        self.barriers = Barriers("sla-monitor", PART, TOPICS, self.publisher)

    async def wait_for(self, due: float, now: float) -> None:
        """Somebody waits for `due`, which has passed; minutes after NOON."""
        self.barriers.want(at(due))
        await self.barriers.write(at(now))

    def written(self, topic: str = ONE) -> list[Received]:
        return [record for record in self.log.read(topic, PART) if is_barrier(record)]

    def read(self, one: int, other: int) -> datetime:
        """Up to when the inputs are known once all before these offsets has been decided."""
        self.barriers.passed({ONE: one, OTHER: other})
        return self.barriers.known


def played(story: Callable[[Bench], Awaitable[None]], publisher: type[LogPublisher] = LogPublisher) -> None:
    """Runs the story in simulated time."""

    async def whole() -> None:
        await story(Bench(publisher))

    loop = Loop(Random(1))
    try:
        loop.run_until_complete(whole())
    finally:
        loop.bury()


async def passes(seconds: float) -> None:
    await asyncio.sleep(seconds)


def test_nothing_is_known_until_a_barrier_was_read_in_every_input_whatever_the_time_stamps_say() -> None:
    async def story(bench: Bench) -> None:
        bench.log.append(ONE, PART, b"lead", b"{}")
        assert bench.read(1, 0) == NEVER
        await bench.wait_for(10, 11)
        assert (bench.read(1, 0), bench.read(2, 0), bench.read(2, 1)) == (NEVER, NEVER, at(11))

    played(story)


def test_one_is_waited_for_at_a_time_and_a_further_one_only_for_a_later_due() -> None:
    async def story(bench: Bench) -> None:
        for minute in range(10, 40):
            await bench.wait_for(10, minute)
            await passes(60)
        assert [len(bench.written(topic)) for topic in TOPICS] == [1, 1]
        bench.read(1, 1)
        await bench.wait_for(9, 41)
        await bench.wait_for(10, 41)
        assert len(bench.written()) == 1
        await bench.wait_for(40, 41)
        assert len(bench.written()) == 2
        assert bench.read(2, 2) == at(41)

    played(story)


def test_only_the_input_that_is_not_known_gets_a_further_one() -> None:
    async def story(bench: Bench) -> None:
        await bench.wait_for(10, 11)
        bench.read(1, 0)
        await passes(1)
        await bench.wait_for(12, 13)
        assert [len(bench.written(topic)) for topic in TOPICS] == [2, 1]

    played(story)


def test_there_is_a_pause_between_two() -> None:
    async def story(bench: Bench) -> None:
        for number in range(100):
            await bench.wait_for(10 + number, 11 + number)
            bench.read(1000, 1000)
            await passes(PAUSE_SECONDS / 10)
        assert len(bench.written()) <= 11

    played(story)


def test_what_others_write_proves_nothing() -> None:
    async def story(bench: Bench) -> None:
        bench.barriers.want(at(10))
        for topic in TOPICS:
            bench.log.append(topic, PART, BARRIER_KEY, b"{}")
        assert bench.read(1, 1) == NEVER
        await bench.wait_for(10, 11)
        assert bench.read(1, 1) == NEVER
        assert bench.read(2, 2) == at(11)

    played(story)


def test_a_barrier_of_which_the_broker_does_not_tell_the_offset_proves_nothing_and_another_one_follows() -> None:
    class Silent(LogPublisher):
        silent = True

        async def append(self, record: Record) -> int:
            offset = await super().append(record)
            return -1 if self.silent else offset

    async def story(bench: Bench) -> None:
        await bench.wait_for(10, 11)
        assert bench.read(9, 9) == NEVER
        bench.publisher.silent = False
        await passes(1)
        await bench.wait_for(10, 12)
        assert bench.read(9, 9) == at(12)

    played(story, Silent)
