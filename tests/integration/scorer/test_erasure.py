"""Erasing a lead on the real database: none of its facts is left, whatever came before or after it."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.engagements import LeadDescribed
from scorer.rules import flood
from tests.builders import a_description
from tests.integration.chassis.driving import House, an_erasure, engaged, leads
from tests.integration.scorer.test_flood import Bench, bench, many

__all__ = ["bench"]
NOW = datetime.now(UTC)


def secret(lead: str, id: str = "told") -> LeadDescribed:  # noqa: A002 - as in builders
    return a_description(id=id, subject=lead, time=NOW - timedelta(minutes=1), name="Canary", company_size=100)


async def left(house: House) -> str:
    """Every row that is kept."""
    tables = ("fact", "lead", "partition", "shared")
    rows = [await house.query(f"SELECT t::text, to_jsonb(t) ->> 'data' FROM {table} t") for table in tables]
    told = [await house.query("SELECT convert_from(data, 'UTF8') FROM fact")]
    return repr([*rows, *told])


@pytest.mark.parametrize("batches", [1, 2, 4])
async def test_all_that_came_before_goes_and_all_that_comes_later_is_dropped(bench: Bench, batches: int) -> None:
    ada, bob = leads(0, 2)
    events = [
        secret(ada),
        engaged("a1", ada, "webinar_attended"),
        a_description(id="of-bob", subject=bob, time=NOW, name="Bob", company_size=100),
        engaged("a0", ada, "webinar_attended").model_copy(update={"time": NOW - timedelta(days=2)}),
        an_erasure(ada, time=NOW),
        secret(ada, "again"),
        secret(ada),
        an_erasure(ada, "twice", NOW),
        an_erasure(ada, time=NOW),
    ]
    size = -(-len(events) // batches)
    for start in range(0, len(events), size):
        async with bench.owned() as take:
            await take(events[start : start + size])
    assert [fact.event.id for fact in await bench.facts(ada)] == ["erase"]
    assert [fact.event.id for fact in await bench.facts(bob)] == ["of-bob"]
    row, totals = await bench.row(ada), await bench.house.totals()
    assert row.erased == NOW
    assert row.deleted + row.dropped["erased"] == 6
    assert (totals["records"], totals["duplicates"], totals["dropped:erased"]) == (9, 1, row.dropped["erased"])
    assert totals["facts"] == row.deleted + 2
    async with bench.owned() as take:
        await take([engaged("later", ada, "demo_requested")])
    assert not [letter for letter in await bench.house.written("engagements-dlq") if letter.key == ada.encode()]
    text = await left(bench.house)
    assert ("Bob" in text, "Canary" in text, "webinar" in text, "demo" in text) == (True, False, False, False)


async def test_an_unknown_lead_is_erased_before_it_comes(bench: Bench) -> None:
    [ada] = leads(0, 1)
    async with bench.owned() as take:
        await take([an_erasure(ada, time=NOW)])
    async with bench.owned() as take:
        await take([secret(ada)])
    assert "Canary" not in await left(bench.house)
    row = await bench.row(ada)
    assert (row.dropped, row.deleted, row.erased) == ({"erased": 1}, 0, NOW)


async def test_a_flooded_lead_is_erased_as_any_other(bench: Bench) -> None:
    [ada] = leads(0, 1)
    async with bench.owned() as take:
        await take(many(flood.DAILY + 5, ada))
    async with bench.owned() as take:
        await take([engaged("more", ada), an_erasure(ada, time=NOW), engaged("later", ada)])
        await take([engaged("last", ada)])
    row = await bench.row(ada)
    assert (row.deleted, row.dropped["flood"]) == (flood.DAILY, 5)
    assert row.deleted + sum(row.dropped.values()) == flood.DAILY + 8
    assert [fact.event.id for fact in await bench.facts(ada)] == ["erase"]
    assert row.state.count("example.com") == 0
