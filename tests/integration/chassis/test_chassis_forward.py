"""What is forwarded is kept as proof, and published again for another lead with the same commit."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from schemas.engagements import EngagementRecorded
from schemas.envelope import forwarded
from schemas.sizes import MAX_EVENT, MAX_RECORD
from tests.integration.chassis.counting import Counting
from tests.integration.chassis.driving import House, arrived, engaged, leads, record, take_all
from tests.integration.chassis.test_chassis_journal import Killed
from tests.integration.desk.auditing import audited
from tests.until import until


async def test_what_is_forwarded_is_a_fact_of_both_leads_and_counted_apart(house: House) -> None:
    [ada], [bob] = leads(0, 1), leads(1, 1)
    events = [engaged(str(number), ada, "forward", content=bob) for number in range(3)]
    events.append(events[0].model_copy(update={"id": "4", "finaltime": True}))
    async with house.running():
        await house.publish(*map(record, events), record(events[0]), record(engaged("own", bob)))
        await until(lambda: house.counted("records", 6 + 4), "the copies to be read")
    totals, states = await house.totals(), await house.states()
    assert (totals["records"], totals["forwarded"], totals["facts"], totals["duplicates"]) == (10, 4, 5, 1)
    assert (states[ada].count, states[bob].count) == (4, 5)
    kept = {(row[0], row[1]): row[2] for row in await house.query("SELECT lead_id, id, time FROM fact")}
    assert all(kept[ada, event.id] == kept[bob, event.id] for event in events)
    copies = [json.loads(each.value) for each in await house.written("engagements") if b'"via"' in each.value]
    assert sorted(copy["id"] for copy in copies) == ["0", "1", "2", "4"]
    for copy, event in zip(sorted(copies, key=lambda copy: copy["id"]), events, strict=True):
        assert (copy["source"], copy["subject"], copy["via"]) == (event.source, bob, ada)
        assert (copy["data"], copy["finaltime"]) == (json.loads(event.encode())["data"], True)
        assert ("occurredat" in copy) == (event.id != "4"), "one that was final has no other time"


async def test_a_copy_that_its_owner_could_not_publish_is_published_by_the_next_one(house: House) -> None:
    [ada], [bob] = leads(0, 1), leads(1, 1)
    event = engaged("1", ada, "forward", content=bob)
    async with house.claimed(publisher=Killed) as ownership:
        with pytest.raises(asyncio.CancelledError):
            await take_all(ownership, arrived([event]))
    assert await house.written("engagements") == []
    async with house.claimed() as ownership:
        await take_all(ownership, arrived([event], 1))
    [copy] = await house.written("engagements")
    assert (copy.key, copy.partition) == (bob.encode(), 1)
    totals = await house.totals()
    assert (totals["forwarded"], totals["duplicates"], totals["facts"]) == (1, 1, 0)


async def test_the_largest_event_is_forwarded_along_a_chain_and_a_larger_one_is_too_large(house: House) -> None:
    [ada], [bob] = leads(0, 1), leads(1, 1)

    def large(id_: str, more: int = 0) -> EngagementRecorded:
        event = engaged(id_, ada, "forward", content=bob, properties={"n": ""})
        return engaged(
            id_, ada, "forward", content=bob, properties={"n": "x" * (MAX_EVENT - len(event.encode()) + more)}
        )

    fitting, over = large("1"), large("2", 1)
    async with house.claimed() as ownership:
        await take_all(ownership, arrived([fitting, over]))
    totals = await house.totals()
    assert (totals["forwarded"], totals["dead_letters:too_large"]) == (1, 1)
    [copy] = await house.written("engagements")
    fact = Counting().inputs["engagements"].fact(copy.key, copy.value, datetime.now(UTC))
    assert len(forwarded(fact, ada)) <= len(copy.value) < MAX_RECORD - 512, "once more it is no longer"


async def test_the_auditor_closes_its_books_over_what_was_forwarded(house: House) -> None:
    [ada], [bob], [eve] = leads(0, 1), leads(1, 1), leads(2, 1)
    for other in ("router", "sla-monitor"):
        await House(house.room, other).open()
    events = [engaged(str(number), ada, "forward", content=bob) for number in range(3)]
    async with house.running():
        await house.publish(*map(record, events), record(events[0]), record(engaged("own", eve)))
        await until(lambda: house.counted("records", 5 + 3), "the copies to be read")
    whole = await audited(house.room)
    assert whole.broken == ()
    assert whole.figures["scorer records"]["facts"] == 3 + 3 + 1
    change = "UPDATE partition SET totals = totals::jsonb || jsonb_build_object({}) WHERE part = 0"
    for count, facts in ((2, 1), (4, -1)):
        await house.query(change.format(f"'forwarded', {count}, 'facts', {facts}"))
        assert (await audited(house.room)).broken == ("I2",)
    await house.query(change.format("'forwarded', 3, 'facts', 0, 'published', 4"))
    await house.query("UPDATE partition SET out_seq = 4 WHERE part = 0")
    assert (await audited(house.room)).broken == ("I5",), "a copy was never published"
