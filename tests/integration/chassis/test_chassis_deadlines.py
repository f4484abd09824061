"""Deadlines: once, never early, and only when the inputs are proven read up to them."""

import asyncio
from datetime import timedelta

from chassis.kafka.consumer import Received
from chassis.kafka.publisher import Record
from schemas.barrier import BARRIER_KEY
from tests.integration.chassis.counting import WAIT, Counting, Tally
from tests.integration.chassis.driving import House, engaged, leads, record, take_all, untroubled, works
from tests.topics import configure
from tests.until import until


async def test_deadline_fires_once_and_not_early(house: House) -> None:
    service = Counting()
    [ada] = leads(0, 1)
    async with house.running(service) as supervisor:
        await until(lambda: works(supervisor, 4), "work")
        await house.publish(record(engaged("1", ada, "wait")))
        await until(lambda: house.counted("fired", 1), "the deadline")
        await asyncio.sleep(0.5)
    assert (await house.totals())["fired"] == 1
    seen, at = service.looked[-1]
    assert seen.due is not None
    assert seen.due <= at.known <= at.now
    assert (at.now - seen.due).total_seconds() < 2
    assert (await house.states())[ada] == Tally(1, None)


async def test_tick_whose_outcome_the_database_refuses_holds_up_no_other(house: House) -> None:
    ada, bob, cher = leads(0, 3)
    await house.publish(
        *(record(engaged("1", lead, kind)) for lead, kind in ((ada, "wait"), (bob, "rot"), (cher, "wait")))
    )
    async with house.running() as supervisor:
        await until(lambda: house.counted("fired", 2), "the others' deadlines")
        await until(lambda: house.counted("tick_failures", 1), "the failure to be counted")
        await untroubled(supervisor)
    assert (await house.states())[bob].count == 1


async def test_deadline_that_passed_while_nobody_looked_fires_at_once(house: House) -> None:
    [ada] = leads(0, 1)
    await house.publish(record(engaged("1", ada, "wait")))
    arrived = [
        Received("engagements", each.partition, each.offset, each.timestamp, each.key, each.value, each.headers)
        for each in await house.written("engagements")
    ]
    async with house.claimed() as ownership:
        await take_all(ownership, arrived)
    await asyncio.sleep(WAIT.total_seconds())
    async with house.running():
        await until(lambda: house.counted("fired", 1), "the deadline")


async def test_deadline_waits_while_the_feed_is_behind(house: House) -> None:
    service = Counting()
    ada, *others = leads(0, 3)
    backlog = [record(engaged(f"b{n}", others[n % 2])) for n in range(150)]
    await house.publish(record(engaged("first", ada, "soon")), *backlog, record(engaged("last", ada)))
    async with house.running(service, batch_records=1):
        await until(lambda: house.counted("fired", 1), "the deadline")
    behind = [at for state, at in service.looked if state.due is not None and at.known < state.due]
    assert behind, "the deadline came while the feed was behind"
    judged, at = service.looked[-1]
    assert judged.due is not None
    assert judged.count == 2, "judged after the feed was read to its end"
    assert judged.due <= at.known


async def test_nothing_is_judged_by_what_lies_behind_an_open_transaction(house: House) -> None:
    service = Counting(wait=timedelta(seconds=3))
    ada, other = leads(0, 2)
    topic = house.room.prefix + "engagements"
    async with house.running(service), house.foreign_producer(transactional_id=house.room.prefix) as platform:
        await until(lambda: house.counted("records", 0), "work")
        await platform.begin_transaction()
        await house.publish(record(engaged("1", ada, "wait")))
        await until(lambda: house.counted("facts", 1), "the fact with a deadline")
        each = record(engaged("never", other))
        await platform.send_and_wait(topic, each.value, key=each.key, partition=0)
        await house.publish(record(engaged("2", ada)))
        await asyncio.sleep(5)
        assert (await house.totals())["fired"] == 0, "judged without what was there before its due"
        written = [each for each in await house.written("engagements") if each.key == BARRIER_KEY]
        assert len(written) == 1, "one barrier, however long it takes to be read"
        await platform.abort_transaction()
        await until(lambda: house.counted("fired", 1), "the deadline, once the transaction has ended")
    judged, at = service.looked[-1]
    assert judged.due is not None
    assert (judged.count, judged.due <= at.known) == (2, True)


async def test_one_barrier_does_for_all_that_wait_and_whoever_else_writes_some_proves_nothing(house: House) -> None:
    service = Counting(wait=timedelta(seconds=3))
    mine = leads(0, 20)
    forged = Record("engagements", BARRIER_KEY, b"anything at all", partition=0)
    async with house.running(service):
        await house.publish(*(record(engaged("1", lead, "wait")) for lead in mine), forged, forged)
        await until(lambda: house.counted("fired", 20), "the deadlines")
        assert all(state.due and state.due <= at.known for state, at in service.looked[-20:])
    totals = await house.totals()
    barriers = sum(each.key == BARRIER_KEY for each in await house.written("engagements"))
    assert barriers <= 2 + 3  # they came due within moments, with a pause between two barriers
    assert (totals["records"], totals["facts"]) == (totals["facts"] + totals["barriers"], 20)
    assert totals["barriers"] <= barriers
    assert await house.written("engagements-dlq") == []


async def test_a_topic_with_its_producers_time_stamps_stops_its_partitions_with_a_sentence(house: House) -> None:
    [ada] = leads(0, 1)
    topic, config = house.room.prefix + "engagements", {"message.timestamp.type": "CreateTime"}
    await configure(house.room.bootstrap_servers, topic, config)
    async with house.running() as supervisor:

        async def stopped() -> bool:
            await house.publish(record(engaged("1", ada)))  # the broker takes its time to change
            return "message.timestamp.type=LogAppendTime" in (supervisor.ready() or "")

        await until(stopped, "the stop", 30)


async def test_mark_at_the_end_of_the_feed_holds_up_no_deadline(house: House) -> None:
    [ada] = leads(0, 1)
    async with house.running():
        async with house.foreign_producer(transactional_id=house.room.prefix) as producer:
            await producer.begin_transaction()
            each = record(engaged("1", ada, "wait"))
            await producer.send(house.room.prefix + each.topic, each.value, key=each.key, partition=0)
            await producer.commit_transaction()
        await until(lambda: house.counted("fired", 1), "the deadline", 5)
