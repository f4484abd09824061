"""What a lead has done before is published for another lead, slice by slice, whoever owns the partition."""

import asyncio
import json

import pytest

from chassis.partition import owner
from chassis.process import failpoints
from chassis.process.failures import Transient
from tests.integration.chassis.driving import House, arrived, engaged, leads, record, take_all
from tests.until import until

FACTS = 1_100


async def test_what_came_before_is_moved_in_slices_and_what_comes_after_is_forwarded(house: House) -> None:
    [ada], [bob] = leads(0, 1), leads(1, 1)
    events = [engaged(f"{number:04}", ada) for number in range(FACTS)]
    async with house.running():
        await house.publish(*map(record, events))
        await until(lambda: house.counted("facts", FACTS), "the facts")
        await house.publish(record(engaged("move", ada, "move", content=bob)))
        await until(lambda: house.counted("moved", FACTS + 1), "the move")
        await house.publish(record(engaged("later", ada)))
        await until(lambda: house.counted("facts", 2 * FACTS + 3), "the copies to be read")
    totals, states = await house.totals(), await house.states()
    assert (totals["moved"], totals["forwarded"], totals["duplicates"]) == (FACTS + 1, 1, 0)
    assert (states[ada].after, states[bob].count) == (None, FACTS + 2)
    kept = await house.query("SELECT id, time FROM fact WHERE lead_id = $1 ORDER BY id", bob)
    assert kept == await house.query("SELECT id, time FROM fact WHERE lead_id = $1 ORDER BY id", ada)


@pytest.mark.parametrize("point", ["moving", "moved"])
async def test_the_next_owner_goes_on_where_the_last_commit_of_a_slice_ended(house: House, point: str) -> None:
    [ada], [bob] = leads(0, 1), leads(1, 1)
    events = [engaged(f"{number:04}", ada) for number in range(FACTS)]
    async with house.claimed() as ownership:
        await take_all(ownership, arrived([*events, engaged("move", ada, "move", content=bob)]))
        failpoints.arm(f"{point}=fail@2")
        await ownership.tick(idle=False)
        with pytest.raises(Transient):
            await ownership.tick(idle=False)
    slices = 1 if point == "moving" else 2
    assert (await house.totals())["moved"] == slices * owner.MOVED + 1
    async with house.claimed() as ownership:
        for _ in range(4):
            await ownership.tick(idle=False)
    assert (await house.totals())["moved"] == FACTS + 1
    copies = {json.loads(each.value)["id"] for each in await house.written("engagements")}
    assert copies == {"move", *(event.id for event in events)}


async def test_leads_that_are_moved_at_once_share_one_query_and_one_commit(house: House) -> None:
    movers, [bob] = leads(0, 30), leads(1, 1)
    events = [engaged(lead, lead) for lead in movers]
    moves = [engaged("move", lead, "move", content=bob) for lead in movers]
    async with house.claimed() as ownership:
        await take_all(ownership, arrived([*events, *moves]))
        before = await house.query("SELECT out_seq FROM partition WHERE part = 0")
        await ownership.tick(idle=False)
        after = await house.query("SELECT out_seq FROM partition WHERE part = 0")
    assert after[0][0] - before[0][0] == len(movers)
    assert await house.query("SELECT 1 FROM lead WHERE due_at IS NOT NULL") == []
    await asyncio.sleep(0)
