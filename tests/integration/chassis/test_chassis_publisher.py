"""The publisher isolates refused records; the others are written."""

import asyncio
from collections.abc import Awaitable, Sequence

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from chassis.kafka.publisher import Publisher, Record, size_of
from chassis.process.failures import Unpublishable
from schemas.sizes import MAX_RECORD
from tests.integration.chassis.driving import House
from tests.topics import configure
from tests.until import until

FOREIGN_LIMIT = 20_000
"""Bytes that a broker which is not configured as ours takes in one batch."""


def a_record(number: int, size: int = 0, topic: str = "lead-scores") -> Record:
    return Record(topic, b"k", (b"%d" % number).ljust(size), partition=0)


async def limit(house: House, topic: str, size: int) -> None:
    """Gives the topic another `max.message.bytes` than it had, and waits until its broker goes by it."""
    config = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(size)}
    await configure(house.room.bootstrap_servers, house.room.prefix + topic, config)
    async with house.foreign_producer() as producer:

        async def takes(probe: int) -> bool:
            try:
                await producer.send_and_wait(house.room.prefix + topic, b" " * probe, partition=1)
            except MessageSizeTooLargeError:
                return False
            return True

        probe = 2 * FOREIGN_LIMIT
        await until(lambda: _is(takes(probe), size > probe), f"a limit of {size}")


async def _is(answer: Awaitable[bool], expected: bool) -> bool:
    return await answer is expected


async def published(publisher: Publisher, records: Sequence[Record]) -> list[Record]:
    """Publishes the records; returns those that are refused."""
    try:
        await publisher.publish(records)
    except Unpublishable as refusal:
        return [record for record in records if refusal.names(record)]
    return []


async def landed(house: House, topic: str = "lead-scores") -> list[int]:
    return [int(each.value) for each in await house.written(topic) if each.partition == 0]


async def test_a_record_over_the_contracts_limit_is_refused_before_it_is_sent_and_good_ones_land(house: House) -> None:
    good = [a_record(n) for n in range(1000)]
    async with house.publisher() as publisher:
        await publisher.publish(good[:10])
        large = a_record(0, 1_500_000)
        with pytest.raises(Unpublishable, match="lead-scores") as refusal:
            await publisher.publish([*good[10:14], large, *good[14:20]])
        assert refusal.value.records == [large]
        await publisher.publish(good[20:])
        assert publisher.rebuilds == 0
    assert await landed(house) == list(range(1000))


async def test_the_largest_record_of_the_contract_is_taken(house: House) -> None:
    size = next(size for size in range(MAX_RECORD, 0, -1) if size_of(a_record(7, size)) <= MAX_RECORD)
    async with house.publisher() as publisher:
        assert await published(publisher, [a_record(7, size)]) == []
        assert await published(publisher, [a_record(8, size + 1)]) != []
        assert publisher.rebuilds == 0
    assert await landed(house) == [7]


async def test_where_the_brokers_limit_is_lower_all_good_records_land_and_few_producers_are_rebuilt(
    house: House,
) -> None:
    await limit(house, "lead-scores", FOREIGN_LIMIT)
    good = [a_record(n, 100) for n in range(1000)]
    others = [a_record(n, topic="sla-clocks") for n in range(1000)]
    async with house.publisher() as publisher:

        async def elsewhere() -> None:
            for at in range(0, 1000, 10):
                await publisher.publish(others[at : at + 10])

        traffic = asyncio.create_task(elsewhere())
        for at in range(0, 1000, 50):
            large = [a_record(-at - n, 2 * FOREIGN_LIMIT) for n in range(3)]
            records = [*good[at : at + 25], large[0], *good[at + 25 : at + 50], *large[1:]]
            assert await published(publisher, records) == large
        await traffic
        assert publisher.rebuilds <= 10
    assert await landed(house) == list(range(1000))
    assert await landed(house, "sla-clocks") == list(range(1000))


async def test_good_records_that_are_too_many_for_one_batch_of_a_lower_limit_land_in_their_order(house: House) -> None:
    await limit(house, "lead-scores", FOREIGN_LIMIT)
    good = [a_record(n, 1000) for n in range(1000)]
    async with house.publisher() as publisher:
        assert await published(publisher, good) == []
        before = publisher.rebuilds
        assert before <= 10
        assert await published(publisher, good) == []
        assert publisher.rebuilds == before
    assert await landed(house) == [*range(1000), *range(1000)]


async def test_a_limit_that_was_raised_is_found_out(house: House) -> None:
    await limit(house, "lead-scores", FOREIGN_LIMIT)
    large = a_record(1, 2 * FOREIGN_LIMIT)
    async with house.publisher() as publisher:
        assert await published(publisher, [large]) == [large]
        await limit(house, "lead-scores", MAX_RECORD)
        assert await published(publisher, [large]) == []
        assert publisher.rebuilds == 1
    assert await landed(house) == [1]
