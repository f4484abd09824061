"""Several processes: rebalances, faults of the log and the database, ticks."""

import asyncio
import time
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete

from chassis.process.failures import Fenced
from tests.infrastructure import connected
from tests.integration.chassis.counting import Counting
from tests.integration.chassis.driving import (
    PARTS,
    House,
    arrived,
    engaged,
    leads,
    record,
    take_all,
    worker_of,
    works,
)
from tests.topics import admin, delete_topics
from tests.until import until

CONNECTIONS = "FROM pg_stat_activity WHERE application_name = 'baton-scorer' AND datname = $1"


async def test_two_processes_share_the_partitions_and_a_stopped_one_hands_its_own_over(house: House) -> None:
    everyone = [lead for part in PARTS for lead in leads(part, 5)]

    async def all_engage(batch: int) -> None:
        await house.publish(*(record(engaged(f"{batch}", lead)) for lead in everyone))
        await until(lambda: house.counted("facts", 20 * batch), f"batch {batch}")

    async with house.running() as one:
        await until(lambda: works(one, 4), "all partitions in one hand")
        await all_engage(1)
        async with house.running() as other:
            await until(lambda: works(one, 2) and works(other, 2), "two partitions each")
            assert {w.part for w in one.workers} | {w.part for w in other.workers} == set(PARTS)
            await all_engage(2)
        left = time.monotonic()
        await until(lambda: works(one, 4), "all partitions again")
        assert time.monotonic() - left < 8, "the stopped process left its group: its session need not time out"
        await all_engage(3)
        assert sum(worker.events["fenced"] for worker in one.workers) == 0
    totals = await house.totals()
    assert (totals["records"], totals["facts"]) == (60, 60)
    assert {state.count for state in (await house.states()).values()} == {3}


async def test_stop_is_orderly_and_quick(house: House) -> None:
    async with house.running() as supervisor:
        await until(lambda: works(supervisor, 4), "work")
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    assert await _connections(house) == 0


async def _connections(house: House) -> int:
    return int((await house.query(f"SELECT count(*) {CONNECTIONS}", house.room.database))[0][0])


async def test_claim_fences_the_older_owner_who_returns_only_as_a_member(house: House) -> None:
    ada, bob = leads(0, 2)
    async with house.running() as supervisor:
        await until(lambda: works(supervisor, 4), "work")
        async with house.claimed() as intruder:
            await house.publish(record(engaged("1", ada)))
            worker = worker_of(supervisor, 0)
            await until(lambda: worker.events["takeovers"] == 2, "the member to claim again")
            assert worker.events["fenced"] == 1
            with pytest.raises(Fenced):
                await take_all(intruder, arrived([engaged("2", bob)]))
        await until(lambda: house.counted("facts", 1), "the fact")
    assert (await house.states()).keys() == {ada}


async def test_worker_survives_the_loss_of_its_connection(house: House) -> None:
    [ada] = leads(0, 1)
    async with house.running() as supervisor:
        for n in range(1, 4):
            await until(lambda: works(supervisor, 4), "work")
            await house.query(f"SELECT pg_terminate_backend(pid) {CONNECTIONS}", house.room.database)
            await house.publish(record(engaged(str(n), ada)))
            await until(lambda: house.counted("facts", n), f"fact {n}")  # noqa: B023 - awaited at once
        assert not any(worker.events["stopped"] for worker in supervisor.workers)
        assert worker_of(supervisor, 0).events["retry:database"] >= 1


async def test_fact_that_the_cache_missed_costs_a_new_claim_and_nothing_else(house: House) -> None:
    ada, bob = leads(0, 2)
    async with house.running() as supervisor:
        await house.publish(first := record(engaged("1", ada)))
        await until(lambda: house.counted("facts", 1), "the first fact")
        worker = worker_of(supervisor, 0)
        worker.ownership._files.of(ada).keys.clear()
        await house.publish(first, record(engaged("2", bob)), record(engaged("3", ada)))
        await until(lambda: house.counted("records", 4), "all records")
        assert worker.events["retry:fact_known"] == 1
    totals = await house.totals()
    assert (totals["facts"], totals["duplicates"]) == (3, 1)
    assert (await house.states())[ada].count == 2


async def test_gaps_of_the_log_itself_are_read_over_and_counted(house: House) -> None:
    everyone = leads(0, 6)
    async with house.running() as supervisor:
        async with house.foreign_producer(transactional_id=house.room.prefix) as producer:
            for n, lead in enumerate(everyone):
                await producer.begin_transaction()
                each = record(engaged(str(n), lead))
                await producer.send(house.room.prefix + each.topic, each.value, key=each.key, partition=0)
                if n % 3 == 2:
                    await producer.abort_transaction()
                else:
                    await producer.commit_transaction()
        await house.publish(record(engaged("last", everyone[0], "wait")))
        await until(lambda: house.counted("fired", 1), "the end of the log, and the deadline after it")
        worker = worker_of(supervisor, 0)
        assert worker.events["retry:offsets_missing"] >= 1, "a gap is taken at its second showing only"
        assert not worker._gaps
    totals = await house.totals()
    assert (totals["records"] - totals["barriers"], totals["facts"], totals["gaps"]) == (5, 5, 4)


async def _delete_records(house: House, before: int) -> None:
    partition = TopicPartition(f"{house.room.prefix}engagements", 0)
    async with admin(house.room.bootstrap_servers) as client:
        await client.delete_records({partition: RecordsToDelete(before_offset=before)})


@pytest.mark.parametrize("read", [0, 2])
async def test_records_deleted_before_they_were_read_stop_the_partition(house: House, read: int) -> None:
    [ada] = leads(0, 1)
    async with house.running() as supervisor:
        await until(lambda: works(supervisor, 4), "work")
        await house.publish(*(record(engaged(str(n), ada)) for n in range(read)))
        await until(lambda: house.counted("facts", read), "what is read before")
    await house.publish(*(record(engaged(str(n), ada)) for n in range(read, 5)))
    await _delete_records(house, before=4)
    async with house.running() as supervisor:
        await until(lambda: "partition 0: stopped" in str(supervisor.ready()), "the partition to stop")
        assert f"holds 4 to 5, next to read is {read}" in str(supervisor.ready())
        assert [worker.part for worker in supervisor.workers if worker.events["stopped"]] == [0]
    assert (await house.totals())["facts"] == read


async def test_topic_that_was_made_anew_stops_the_partition_however_many_records_it_has(house: House) -> None:
    [ada] = leads(0, 1)
    async with house.running():
        await house.publish(*(record(engaged(str(n), ada)) for n in range(3)))
        await until(lambda: house.counted("facts", 3), "what is read before")
    await delete_topics(house.room.bootstrap_servers, f"{house.room.prefix}engagements")
    await _create_topic(house, "engagements", len(PARTS))
    await house.publish(*(record(engaged(f"new {n}", ada)) for n in range(5)))
    async with house.running() as supervisor:
        await until(
            lambda: "is not the log that was read: record 2" in str(supervisor.ready()), "the partition to stop"
        )
    assert (await house.totals())["facts"] == 3


async def test_nothing_is_lost_when_partitions_change_hands_all_the_time(house: House) -> None:
    everyone = [lead for part in PARTS for lead in leads(part, 10)]
    stop = asyncio.Event()
    sent = 0

    async def keep_publishing() -> None:
        nonlocal sent
        async with house.publisher() as publisher:
            while not stop.is_set():
                await publisher.publish([record(engaged(str(sent), lead, "tell")) for lead in everyone])
                sent += 1
                await asyncio.sleep(0.02)

    async with house.running() as one:
        await until(lambda: works(one, 4), "work")
        publishing = asyncio.create_task(keep_publishing())
        for _ in range(2):
            async with house.running() as other:
                await until(lambda: other.workers and one.workers, "both to work")
        stop.set()
        await publishing
        await until(lambda: house.counted("records", sent * len(everyone)), "the end of the log", 30)
        assert await _connections(house) == 4
        await until(lambda: works(one, 4), "one to be ready")
    totals = await house.totals()
    assert (totals["records"], totals["facts"]) == (sent * len(everyone),) * 2
    assert {state.count for state in (await house.states()).values()} == {sent}
    assert len({_id(each) for each in await house.written("lead-scores")}) == sent * len(everyone)


def _id(published: Any) -> bytes:
    return bytes(published.value).split(b'"id":"')[1].split(b'"')[0]


async def _create_topic(house: House, name: str, partitions: int) -> None:
    config = {"message.timestamp.type": "LogAppendTime"}
    async with admin(house.room.bootstrap_servers) as client:
        await client.create_topics([NewTopic(house.room.prefix + name, partitions, 1, topic_configs=config)])


async def test_partition_that_not_every_input_topic_has_is_told_of(house: House) -> None:
    service = Counting(inputs={**Counting().inputs, "wider": Counting().inputs["engagements"]})
    await _create_topic(house, "wider", 6)
    async with house.running(service) as supervisor:
        await until(lambda: "partitions [4, 5]" in str(supervisor.ready()), "it to be told")


async def test_topic_that_does_not_exist_yet_is_waited_for(house: House) -> None:
    service = Counting(inputs={"later": Counting().inputs["engagements"]})
    async with house.running(service) as supervisor:
        await asyncio.sleep(1.5)
        assert supervisor.ready() is not None
        await _create_topic(house, "later", 4)
        await until(lambda: works(supervisor, 4), "work")


async def test_database_that_is_away_is_waited_for(house: House) -> None:
    limit = f"ALTER DATABASE {house.room.database} CONNECTION LIMIT"
    async with connected(house.room.admin_url) as database:
        await database.execute(f"{limit} 0")
        async with house.running() as supervisor:
            await until(lambda: "partition 0: retry: connecting" in str(supervisor.ready()), "workers to wait")
            await database.execute(f"{limit} -1")
            await until(lambda: works(supervisor, 4), "work")
