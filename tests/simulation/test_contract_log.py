"""The contract of the log's clients, on Kafka and in the simulation."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chassis.kafka.consumer import Consumer, NotMember, Received
from chassis.kafka.publisher import Publisher, Record
from schemas.identity import partition_of
from tests.simulation.kafka import LogConsumer, LogPublisher
from tests.simulation.places import INPUTS, PARTS, OnRealServers, OnSimulatedOnes, Place
from tests.until import until

SCORES, SALES = INPUTS
START = dict.fromkeys(INPUTS, 0)


class Owner:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.parts: set[int] | None = None
        self.revocations = 0

    def assigned(self, parts: set[int], partial: set[int]) -> None:
        assert not partial
        self.parts = parts

    def revoked(self) -> None:
        self.parts = None
        self.revocations += 1


@asynccontextmanager
async def member(place: Place) -> AsyncIterator[tuple[Consumer, Owner]]:
    """A member of the group, once it has something to own."""
    consumer, owner = place.consumer(), Owner()
    await consumer.start(owner)
    try:
        await until(lambda: owner.parts, "an assignment", 30)
        yield consumer, owner
    finally:
        await consumer.stop()


async def publish(place: Place, *records: Record) -> None:
    async with place.publisher() as publisher:
        await publisher.publish(records)


def numbered(topic: str, part: int, count: int, first: int = 0) -> list[Record]:
    return [Record(topic, b"key", str(n).encode(), partition=part) for n in range(first, first + count)]


async def fetched(consumer: Consumer, part: int, count: int) -> list[Received]:
    """So many records, or what has come of them after 10 s."""
    found: list[Received] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            found += await consumer.fetch(part, count - len(found), 0.2)
    return found


class Contract:
    """The tests; a subclass says where."""

    async def test_records_come_in_order_from_where_reading_starts(self, place: Place) -> None:
        await publish(place, *numbered(SCORES, 1, 5), *numbered(SALES, 1, 3), *numbered(SCORES, 2, 4))
        async with member(place) as (consumer, owner):
            assert owner.parts == set(range(PARTS))
            assert consumer.partitions() == PARTS
            assert await consumer.fetch(1, 9, 0.2) == []
            consumer.start_reading(1, {SCORES: 2, SALES: 0})
            records = await fetched(consumer, 1, 6)
            for topic, values in ((SCORES, ["2", "3", "4"]), (SALES, ["0", "1", "2"])):
                mine = [record for record in records if record.topic == topic]
                assert [(record.value or b"").decode() for record in mine] == values
                assert [record.offset for record in mine] == [int(value) for value in values]
                assert {record.partition for record in mine} == {1}
                times = [record.append_time for record in mine]
                assert times == sorted(times)
            assert await consumer.fetch(1, 9, 0.2) == []
            consumer.start_reading(1, {SCORES: 4, SALES: 3})
            assert [record.offset for record in await fetched(consumer, 1, 1)] == [4]
            consumer.stop_reading(1)
            await publish(place, *numbered(SCORES, 1, 1, 5))
            assert await consumer.fetch(1, 9, 0.5) == []

    async def test_no_more_are_fetched_than_asked_for_and_none_is_left_out(self, place: Place) -> None:
        await publish(place, *numbered(SCORES, 0, 7))
        async with member(place) as (consumer, _):
            consumer.start_reading(0, START)
            found: list[Received] = []
            async with asyncio.timeout(10):
                while len(found) < 7:
                    batch = await consumer.fetch(0, 3, 0.2)
                    assert len(batch) <= 3
                    found += batch
            assert [record.offset for record in found] == list(range(7))

    async def test_fetch_answers_as_soon_as_something_comes(self, place: Place) -> None:
        async with member(place) as (consumer, _), asyncio.timeout(10):
            consumer.start_reading(0, START)
            fetching = asyncio.create_task(consumer.fetch(0, 9, 60))
            await asyncio.sleep(0.2)
            await publish(place, *numbered(SALES, 0, 1))
            assert [record.topic for record in await fetching] == [SALES]

    async def test_the_key_says_the_partition(self, place: Place) -> None:
        keys = [b"a", b"b", b"c", b"d", b"e"]
        await publish(place, *(Record(SCORES, key, b"v") for key in keys))
        async with member(place) as (consumer, _):
            for part in range(PARTS):
                consumer.start_reading(part, START)
                expected = [key for key in keys if partition_of(key, PARTS) == part]
                assert [record.key for record in await fetched(consumer, part, len(expected))] == expected

    async def test_the_bounds_are_what_the_broker_has(self, place: Place) -> None:
        await publish(place, *numbered(SCORES, 0, 2))
        async with member(place) as (consumer, _):
            assert await consumer.bounds(0) == {SCORES: (0, 2), SALES: (0, 0)}

    async def test_who_appends_a_record_is_told_its_offset(self, place: Place) -> None:
        await publish(place, *numbered(SCORES, 0, 2))
        async with place.publisher() as publisher:
            found = [await publisher.append(*numbered(*place, 1)) for place in ((SALES, 0), (SCORES, 0), (SCORES, 1))]
            assert found == [0, 2, 0]

    async def test_nothing_behind_an_open_transaction_is_answered_until_it_has_ended(self, place: Place) -> None:
        await publish(place, *numbered(SCORES, 0, 1))
        async with member(place) as (consumer, _):
            consumer.start_reading(0, START)
            async with place.transaction(SCORES, 0), place.publisher() as publisher:
                offset = await publisher.append(*numbered(SCORES, 0, 1, 1))
                assert offset == 2
                assert [record.offset for record in await fetched(consumer, 0, 1)] == [0]
                assert await consumer.fetch(0, 9, 0.5) == []
                assert (await consumer.bounds(0))[SCORES] == (0, 1)
            assert [record.offset for record in await fetched(consumer, 0, 1)] == [offset]

    async def test_the_mark_of_a_transaction_takes_an_offset_and_is_never_answered(self, place: Place) -> None:
        await place.transact(SCORES, 0)
        await publish(place, *numbered(SCORES, 0, 1))
        await place.transact(SCORES, 0)
        async with member(place) as (consumer, _):
            consumer.start_reading(0, START)
            offsets = [record.offset for record in await fetched(consumer, 0, 3)]
            assert offsets == sorted(offsets)
            assert offsets[0] == 0
            assert offsets[2] == 3  # the first mark is written behind the first record or the second one

            async def ended() -> bool:
                assert await consumer.fetch(0, 9, 0.1) == []
                return (await consumer.bounds(0))[SCORES] == (0, 5)

            await until(ended, "the end, behind the mark")

    async def test_the_time_stamp_of_the_record_before_an_offset(self, place: Place) -> None:
        await publish(place, *numbered(SCORES, 0, 3))
        async with member(place) as (consumer, _):
            consumer.start_reading(0, START)
            records = await fetched(consumer, 0, 3)
            assert await consumer.before(0, {SCORES: 2}) == {SCORES: records[1].timestamp}
            assert await consumer.fetch(0, 9, 0.5) == []
            consumer.start_reading(0, {SCORES: 2, SALES: 0})
            assert [record.offset for record in await fetched(consumer, 0, 1)] == [2]

    async def test_offsets_are_taken_from_a_member_and_of_what_it_owns(self, place: Place) -> None:
        async with member(place) as (consumer, _):
            await consumer.commit({0: {SCORES: 1, SALES: 0}, 3: START})
            with pytest.raises(ValueError, match=r"\{\}"):
                await consumer.commit({})

    async def test_a_second_member_takes_half_and_the_first_one_is_told(self, place: Place) -> None:
        await publish(place, *(record for part in range(PARTS) for record in numbered(SCORES, part, 1)))
        async with member(place) as (first, one):
            for part in range(PARTS):
                first.start_reading(part, START)
            heard = one.revocations
            async with member(place) as (second, other):
                await until(lambda: one.parts and len(one.parts) == PARTS // 2, "the first member's new share", 30)
                assert one.revocations > heard
                assert one.parts
                assert other.parts
                assert one.parts | other.parts == set(range(PARTS))
                assert not one.parts & other.parts
                lost, kept = min(other.parts), min(one.parts)
                with pytest.raises(NotMember):
                    first.start_reading(lost, START)
                with pytest.raises(NotMember):
                    await first.before(lost, {SCORES: 1})
                with pytest.raises(NotMember):
                    await first.commit({lost: START})
                assert await first.fetch(kept, 9, 0.5) == []  # reading starts anew with every assignment
                first.stop_reading(lost)
                second.start_reading(lost, START)
                assert [record.offset for record in await fetched(second, lost, 1)] == [0]
            await until(lambda: one.parts == set(range(PARTS)), "everything again, once the second one left", 30)


class TestOnKafka(OnRealServers, Contract):
    """The real thing."""


class TestInTheSimulation(OnSimulatedOnes, Contract):
    """What stands in for it."""

    def test_everything_public_is_stood_in_for(self) -> None:
        told_by_the_client = {"on_partitions_revoked", "on_partitions_assigned"}
        for real, simulated in ((Consumer, LogConsumer), (Publisher, LogPublisher)):
            public = {name for name in vars(real) if name.startswith("__a") or not name.startswith("_")}
            public -= told_by_the_client
            assert public <= vars(simulated).keys()
