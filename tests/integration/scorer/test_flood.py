"""A flood of one lead on the real database: what is kept is bounded in every order, the rest is counted."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.partition.flood import UNCOUNTED
from chassis.partition.journal import Journal, LeadRow
from chassis.partition.owner import Ownership
from chassis.postgres.database import connected
from schemas.engagements import EngagementRecorded
from schemas.envelope import Fact
from scorer.app import Scorer
from scorer.rules import State, flood, fold, score
from scorer.rules.order import text_of
from tests.builders import a_description
from tests.integration.chassis.driving import House, arrived, engaged, leads, take_all
from tests.unit.scorer.driver import CLASSIC, a_scorer

NOW = datetime.now(UTC)
TODAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
MOST = flood.DAILY


class Bench:
    """The scorer on partition 0 of a real journal."""

    def __init__(self, house: House, scorer: Scorer) -> None:
        self.house = house
        self.scorer = scorer
        self.read = 0

    @asynccontextmanager
    async def owned(self) -> AsyncIterator[Any]:
        """Takes events as the owner of the partition; a new one remembers nothing."""
        async with self.house.claimed(self.scorer) as ownership:  # type: ignore[arg-type]

            async def take(events: Sequence[EngagementRecorded]) -> Ownership[Any]:
                assert await take_all(ownership, arrived(events, self.read)) == len(events)
                self.read += len(events)
                return ownership

            yield take

    async def facts(self, lead: str) -> list[Fact]:
        rows = await self.house.query("SELECT data, time, fingerprint, received_at FROM fact WHERE lead_id = $1", lead)
        return [self.scorer.stored(*row) for row in rows]

    async def row(self, lead: str) -> LeadRow:
        async with connected(self.house.engine) as connection:
            [row] = await Journal(connection, 0).leads([lead])
        return row

    async def state(self, lead: str) -> State:
        return self.scorer.load(lead, (await self.row(lead)).state)

    async def holds(self, lead: str) -> Counter[Any]:
        """What is kept of the lead, by what it counts as; its state is what that comes to."""
        facts, state = await self.facts(lead), await self.state(lead)
        assert state.tally == fold(facts, CLASSIC)
        assert score(state.tally.basis, CLASSIC, text_of(NOW)).milli <= 120_000
        return Counter(flood.sort_of(fact, CLASSIC.kinds) for fact in facts)


@pytest.fixture
def bench(house: House) -> Bench:
    return Bench(house, a_scorer())


def many(count: int, lead: str, kinds: Sequence[str] = ("page_viewed",), name: str = "f") -> list[EngagementRecorded]:
    """So many engagements of the last minute, in no order."""
    made = [
        engaged(f"{name}{n}", lead, kinds[n % len(kinds)], content="pricing").model_copy(
            update={"time": TODAY + timedelta(milliseconds=6 * n)}
        )
        for n in range(count)
    ]
    return random.Random(count).sample(made, count)


async def test_ten_thousand_events_of_one_lead_leave_so_many_and_a_number(bench: Bench) -> None:
    ada, bob = leads(0, 2)
    events = many(10_000, ada)
    async with bench.owned() as take:
        for start in range(0, 10_000, 2_500):
            await take([*events[start : start + 2_500], engaged(f"b{start}", bob, "webinar_attended")])
        await take([engaged("demo", ada, "demo_requested"), a_description(subject=ada, time=NOW, company_size=100)])
    kept = await bench.holds(ada)
    assert sorted(kept.values()) == [1, 1, MOST]
    assert (await bench.row(ada)).dropped == {"flood": 10_000 - MOST}
    assert len(await bench.facts(bob)) == 4
    totals = await bench.house.totals()
    assert (totals["records"], totals["facts"], totals["dropped:flood"]) == (10_006, MOST + 6, 10_000 - MOST)


async def test_a_lead_that_has_to_be_counted_is_told_of_one_by_one_in_any_batching(bench: Bench) -> None:
    ada, bob = leads(0, 2)
    views = {lead: sorted(many(UNCOUNTED, lead), key=lambda event: event.time) for lead in (ada, bob)}
    kinds = (("webinar_attended", "launch"), ("content_downloaded", "pricing"), ("content_downloaded", "case_study"))
    news = {
        lead: [engaged(f"n{n}", lead, kind, content=content) for n, (kind, content) in enumerate(kinds)]
        for lead in (ada, bob)
    }
    async with bench.owned() as take:
        await take([*views[ada], *views[bob]])
        await take(news[ada])
        for event in news[bob]:
            await take([event])
    states = [await bench.state(lead) for lead in (ada, bob)]
    assert states[0].published.version == states[1].published.version == 1 + len(kinds), "pricing visits, and each kind"


async def test_new_owners_and_invented_kinds_let_no_more_in(bench: Bench) -> None:
    [ada] = leads(0, 1)
    events = many(4 * MOST, ada, [f"kind_{n}" for n in range(40)])
    for start in range(0, len(events), MOST):
        async with bench.owned() as take:
            await take(events[start : start + MOST])
    [kept] = (await bench.holds(ada)).values()
    assert kept == MOST + UNCOUNTED, "the second owner counts once so many have come, those after it at once"
    assert (await bench.row(ada)).dropped == {"flood": 4 * MOST - kept}


async def test_what_was_dropped_and_comes_again_is_dropped_again_and_a_duplicate_stays_one(bench: Bench) -> None:
    [ada] = leads(0, 1)
    events = many(MOST + 20, ada)
    async with bench.owned() as take:
        await take(events)
    kept = {fact.event.id for fact in await bench.facts(ada)}
    async with bench.owned() as take:
        await take(events)
        await take(sorted(events, key=lambda event: event.id))
    assert {fact.event.id for fact in await bench.facts(ada)} == kept
    totals = await bench.house.totals()
    assert (totals["facts"], totals["duplicates"], totals["dropped:flood"]) == (MOST, 2 * MOST, 3 * 20)
    assert (await bench.row(ada)).dropped == {"flood": 3 * 20}


async def test_a_late_one_of_a_lead_with_too_many_to_read_again_is_dropped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = leads(0, 2)
    limit = bench.scorer.limit
    assert limit is not None
    monkeypatch.setattr(bench.scorer, "limit", type(limit)(1_000, 150, limit.sort))
    ordered = sorted(many(160, ada, ["page_viewed", "email_opened"]), key=lambda event: event.time)
    late = [
        engaged("late", lead, "webinar_attended").model_copy(update={"time": TODAY - timedelta(1)})
        for lead in (ada, bob)
    ]
    async with bench.owned() as take:
        await take([*ordered, engaged("b", bob, "webinar_attended"), *late])
        await take([engaged("now", ada, "webinar_attended"), a_description(subject=ada, time=TODAY, company_size=100)])
    assert {fact.event.id for fact in await bench.facts(bob)} == {"b", "late"}
    facts = {fact.event.id for fact in await bench.facts(ada)}
    assert len(facts) == 161
    assert facts >= {"now"}
    assert (await bench.row(ada)).dropped == {"flood": 2}, "a late description costs as much as a late engagement"


async def test_what_is_known_of_a_lead_has_a_limit_too_and_is_counted_past_it(bench: Bench) -> None:
    [ada] = leads(0, 1)
    said = [
        a_description(subject=ada, id=f"d{n}", time=TODAY + timedelta(milliseconds=n), company_size=n + 1)
        for n in range(MOST + 20)
    ]
    async with bench.owned() as take:
        await take(said)
        await take([engaged("demo", ada, "demo_requested")])
    assert sorted((await bench.holds(ada)).values()) == [1, MOST]
    assert (await bench.row(ada)).dropped == {"flood": 20}
