"""An erasure of some times deletes the facts of those, counts them, and leaves the lead as it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.engagements import EngagementRecorded
from tests.integration.chassis.counting import Counting, Recalling
from tests.integration.chassis.driving import House, an_erasure, arrived, engaged, leads, record, take_all
from tests.integration.desk.auditing import audited
from tests.until import until

NOW = datetime.now(UTC) - timedelta(minutes=10)
SPANS = ((NOW - timedelta(minutes=4), NOW - timedelta(minutes=2)),)
ADA = leads(0, 1)[0]


def done(id_: str, minutes: float, kind: str = "page_viewed", **fields: Any) -> EngagementRecorded:
    """What Ada did so many minutes before NOW; at 2 to 4 of them it is erased."""
    return engaged(id_, ADA, kind, **fields).model_copy(update={"time": NOW - timedelta(minutes=minutes)})


def part(id_: str = "erase") -> Any:
    return an_erasure(ADA, id_, NOW, SPANS)


async def kept(house: House) -> list[str]:
    return [row[0] for row in await house.query("SELECT id FROM fact ORDER BY id")]


async def test_the_facts_of_these_times_go_written_or_not_and_the_lead_stays(house: House) -> None:
    before = [done("1", 5), done("2", 3), done("3", 4), done("4", 2), done("due", 1, "wait")]
    new = done("5", 3.5)
    async with house.claimed(Counting(wait=timedelta(hours=1))) as ownership:
        await take_all(ownership, arrived(before))
        batch = [new, done("6", 0.5), part(), new, before[1], done("7", 3), done("8", 3), part("twice")]
        await take_all(ownership, arrived(batch, len(before)))
    assert await kept(house) == ["1", "4", "6", "due", "erase", "twice"]
    totals = await house.totals()
    assert (totals["records"], totals["facts"], totals["duplicates"]) == (13, 11, 2)
    [row] = await house.query("SELECT erased, deleted, dropped::text, due_at IS NOT NULL FROM lead")
    assert tuple(row) == (None, 3 + 2, None, True)
    async with house.claimed(Counting(wait=timedelta(hours=1))) as ownership:
        await take_all(ownership, arrived([done("9", 3), an_erasure(ADA, "whole")], 13))
    assert await kept(house) == ["whole"]
    [row] = await house.query("SELECT erased IS NOT NULL, deleted, due_at FROM lead")
    assert tuple(row) == (True, 5 + 7, None), "all that was ever deleted"


async def test_what_waits_with_it_is_decided_in_its_turn_by_what_is_left(house: House) -> None:
    service = Recalling()
    async with house.claimed(service) as ownership:
        await take_all(ownership, arrived([done("0", 5), done("1", 3)]))
        await take_all(ownership, arrived([done("2", 3, "late"), part(), done("3", 3, "late")], 2))
    assert service.recalled == [["0", "1", "2"], ["0", "3", "erase"]]
    assert await kept(house) == ["0", "3", "erase"]


async def test_the_auditor_closes_its_books_over_it_also_when_a_fact_comes_once_more(house: House) -> None:
    for other in ("router", "sla-monitor"):
        await House(house.room, other).open()
    [bob] = leads(1, 1)
    events = [done(str(number), number, "forward", content=bob) for number in range(1, 6)]
    for batch, most in ((events, 10), ([part(), events[2]], 12)):
        async with house.running():
            await house.publish(*map(record, batch))
            await until(lambda most=most: house.counted("records", most), "the records and copies to be read")  # type: ignore[misc]
    async with house.running():  # by one that has nothing in memory
        await house.publish(record(events[2]))
        await until(lambda: house.counted("records", 14), "the copy to come once more")
    assert (await house.totals())["forwarded"] == 6
    assert (await audited(house.room)).broken == ()
    await house.query("UPDATE lead SET deleted = deleted - 1 WHERE lead_id = $1", ADA)
    assert (await audited(house.room)).broken == ("I2",)
