"""Deadlines: once, never early, and only once the feed is known up to them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.integration.chassis.counting import WAIT, Counting, Tally
from tests.integration.chassis.driving import House, engaged, leads, record, take_all, until, untroubled, works


async def test_deadline_fires_once_and_not_early(house: House) -> None:
    service = Counting()
    [ada] = leads(0, 1)
    async with house.running(service) as supervisor:
        await until(lambda: works(supervisor, 4), "work")
        await house.publish(record(engaged("1", ada, "wait")))
        await until(lambda: house.counted("fired", 1), "the deadline")
        await asyncio.sleep(0.5)
    assert (await house.totals())["fired"] == 1
    [(seen, at)] = service.looked
    assert seen.due is not None
    assert seen.due <= at.known == at.now
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
    arrived = [replace(each, topic="engagements") for each in await house.written("engagements")]
    async with house.claimed() as ownership, house.publisher() as publisher:
        await take_all(ownership, arrived, publisher)
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
    assert all(at.known < at.now for at in behind)
    judged, at = service.looked[-1]
    assert (judged.count, at.known) == (2, at.now), "judged after the feed was read to its end"


async def test_mark_at_the_end_of_the_feed_holds_up_no_deadline(house: House) -> None:
    [ada] = leads(0, 1)
    async with house.running():
        async with house.foreign_producer(transactional_id=house.room.prefix) as producer:
            await producer.begin_transaction()
            each = record(engaged("1", ada, "wait"))
            await producer.send(house.room.prefix + each.topic, each.value, key=each.key, partition=0)
            await producer.commit_transaction()
        await until(lambda: house.counted("fired", 1), "the deadline", 5)
