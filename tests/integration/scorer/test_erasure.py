"""Erasing a lead on the real database: nothing that it said is left, whatever came before, with or after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schemas.engagements import Erasure, LeadDescribed, LeadErased
from scorer.rules import flood
from tests.builders import a_description
from tests.integration.chassis.driving import House, engaged, leads
from tests.integration.scorer.test_flood import Bench, bench, many
from tests.unit.scorer.driver import a_scorer

__all__ = ["bench"]
NOW = datetime.now(UTC)


def an_erasure(lead: str, id: str = "erase") -> LeadErased:  # noqa: A002 - as in builders
    return LeadErased(id=id, source="baton/operator", subject=lead, time=NOW, data=Erasure())


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
        an_erasure(ada),
        secret(ada, "again"),
        secret(ada),
        an_erasure(ada, "twice"),
        an_erasure(ada),
    ]
    size = -(-len(events) // batches)
    for start in range(0, len(events), size):
        async with bench.owned() as take:
            await take(events[start : start + size])
    assert [fact.event.id for fact in await bench.facts(ada)] == ["erase"]
    assert [fact.event.id for fact in await bench.facts(bob)] == ["of-bob"]
    state, totals = await bench.state(ada), await bench.house.totals()
    assert state.erased is not None
    assert state.erased.facts + state.unkept["erased"] == 6
    assert (totals["records"], totals["duplicates"], totals["dropped:erased"]) == (9, 1, state.unkept["erased"])
    async with bench.owned() as take:
        await take([engaged("later", ada, "demo_requested")])
    assert not [letter for letter in await bench.house.written("engagements-dlq") if letter.key == ada.encode()]
    text = await left(bench.house)
    assert ("Bob" in text, "Canary" in text, "webinar" in text, "demo" in text) == (True, False, False, False)


async def test_an_unknown_lead_is_erased_before_it_comes(bench: Bench) -> None:
    [ada] = leads(0, 1)
    async with bench.owned() as take:
        await take([an_erasure(ada)])
    async with bench.owned() as take:
        await take([secret(ada)])
    assert "Canary" not in await left(bench.house)
    assert (await bench.state(ada)).unkept == {"erased": 1}


async def test_a_flooded_lead_is_erased_as_any_other(bench: Bench) -> None:
    [ada] = leads(0, 1)
    async with bench.owned() as take:
        await take(many(flood.DAILY + 5, ada))
    async with bench.owned() as take:
        await take([engaged("more", ada), an_erasure(ada), engaged("later", ada)])
        await take([engaged("last", ada)])
    state = await bench.state(ada)
    assert state.erased is not None
    assert state.erased.facts + sum(state.unkept.values()) == flood.DAILY + 8
    assert [fact.event.id for fact in await bench.facts(ada)] == ["erase"]
    assert a_scorer().dump(state).count("example.com") == 0
