"""An event with neither id nor time: a retry in the next minute is the same event."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from schemas.engagements import EngagementRecorded
from schemas.identity import id_of_content
from tests.integration.chassis.counting import Counting, Recalling
from tests.integration.chassis.driving import House, arrived, engaged, leads, take_all

LEAD = leads(0, 1)[0]
MINUTE = timedelta(minutes=1)


def told(minute: int, kind: str = "page_viewed", lead: str = LEAD, **fields: str) -> EngagementRecorded:
    """As ingest makes it of a call that says neither, received so many minutes after the first one."""
    at = datetime.now(UTC).replace(second=50, microsecond=0) - 60 * MINUTE + minute * MINUTE
    event = engaged("derived", lead, kind, **fields).model_copy(update={"time": at, "finaltime": True})
    return event.model_copy(update={"id": id_of_content(event)})


@pytest.mark.parametrize("service", [Counting, Recalling])
@pytest.mark.parametrize("kind", ["page_viewed", "late"])
@pytest.mark.parametrize("batches", [[2], [1, 1]], ids=["one batch", "two batches"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "two doors, the later first"])
async def test_a_retry_across_the_minute_is_a_duplicate(
    house: House, service: type[Counting], kind: str, batches: list[int], order: tuple[int, int]
) -> None:
    records = arrived([told(minute, kind) for minute in order])
    async with house.claimed(service()) as ownership:
        for size in batches:
            await take_all(ownership, records[:size])
            records = records[size:]
    totals = await house.totals()
    assert (totals["records"], totals["facts"], totals["duplicates"]) == (2, 1, 1)


async def test_the_next_owner_knows_it_too(house: House) -> None:
    for offset, minute in enumerate((0, 1)):
        async with house.claimed() as ownership:
            await take_all(ownership, arrived([told(minute)], offset))
    totals = await house.totals()
    assert (totals["facts"], totals["duplicates"]) == (1, 1)


async def test_other_content_another_lead_and_a_later_minute_are_other_events(house: House) -> None:
    events = [told(0), told(1, content="other"), told(1, lead=leads(0, 2)[1]), told(2)]
    assert len({event.id for event in events}) == len(events)
    async with house.claimed() as ownership:
        await take_all(ownership, arrived(events))
    assert ((await house.totals())["facts"], (await house.totals())["duplicates"]) == (4, 0)


async def test_in_any_order_of_three_minutes_each_record_has_one_outcome(house: House) -> None:
    first = 0
    for number, order in enumerate(permutations(range(3))):
        async with house.claimed() as ownership:
            events = [told(minute, content=str(number)) for minute in order]
            await take_all(ownership, arrived(events, first))
            first += len(events)
    totals = await house.totals()
    assert totals["facts"] + totals["duplicates"] == totals["records"] == 18
    assert totals["facts"] == 4 * 2 + 2, "one where the middle minute came first, else the two at the ends"
