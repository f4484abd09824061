"""A commit is bounded in time: the rest is taken next, and what fails is tried in smaller parts."""

import asyncio
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from chassis.partition.journal import LeadRow, Revision
from chassis.partition.owner import SLICE
from chassis.partition.supervisor import STUCK
from chassis.policy import Policies
from chassis.process.failures import OlderPolicy, StatementTimeout
from chassis.service import At, Decision
from schemas.envelope import Fact
from tests.integration.chassis.counting import Tally
from tests.integration.chassis.driving import arrived, engaged, leads
from tests.integration.chassis.test_chassis_revision import Version
from tests.simulation.loop import Loop
from tests.simulation.slowness import NOW, Bench, Patient, Slow, played, running


def test_what_is_left_of_a_batch_is_taken_in_order_and_once() -> None:
    async def story(bench: Bench) -> None:
        [ada] = leads(0, 1)
        names = [str(number) for number in range(20)]
        counts = await bench.take(await bench.claimed(), arrived([engaged(name, ada) for name in names]))
        assert max(counts) <= 4, counts
        assert bench.service.decided == names
        assert [len(batch.facts) for batch in bench.commits] == counts
        totals = bench.store.partitions[0].progress.totals
        assert totals["records"] == totals["facts"] == 20

    played(story)


def test_an_unreadable_record_behind_the_cut_becomes_one_dead_letter() -> None:
    async def story(bench: Bench) -> None:
        [ada] = leads(0, 1)
        events: list[Any] = [engaged(str(number), ada) for number in range(12)]
        events[2] = events[9] = b"{"
        await bench.take(await bench.claimed(), arrived(events))
        totals = bench.store.partitions[0].progress.totals
        assert (totals["records"], totals["facts"], totals["dead_letters:not_json"]) == (12, 10, 2)

    played(story)


def test_due_leads_are_ticked_once_each_in_as_many_commits_as_it_takes() -> None:
    async def story(bench: Bench) -> None:
        bench.has(20, due=NOW - timedelta(1))
        ownership = await bench.claimed()
        looks = [await bench.tick(ownership) for _ in range(12)]
        assert max(looks) <= 4, looks
        assert sum(looks) == bench.store.partitions[0].progress.totals["fired"] == 20
        assert bench.store.next_due(0) is None

    played(story)


def test_due_leads_that_wait_hold_up_none_behind_them() -> None:
    async def story(bench: Bench) -> None:
        bench.has(10, due=NOW - timedelta(2), waits=True)
        last = leads(0, 11)[-1]
        due = NOW - timedelta(1)
        bench.store.leads[last] = (0, LeadRow(last, 1, due, bench.service.dump(Tally(1, due))))
        await bench.tick(await bench.claimed())
        assert bench.store.partitions[0].progress.totals["fired"] == 1

    played(story)


def test_a_revision_says_how_far_it_came_and_the_next_owner_goes_on_there() -> None:
    service = Slow(policies=Policies(Path("any"), (Version(1, NOW - timedelta(1)),)))

    async def story(bench: Bench) -> None:
        everyone = bench.has(20)
        ownership = await bench.claimed()
        first = await bench.tick(ownership)
        assert 0 < first <= 4
        assert bench.store.partitions[0].progress.revision == Revision(1, everyone[first - 1])
        ownership = await bench.claimed()
        looks = [await bench.tick(ownership) for _ in range(20)]
        assert first + sum(looks) == bench.store.partitions[0].progress.totals["fired"] == 20
        assert bench.store.partitions[0].progress.revision == Revision(1, None)

    played(story, service)


def test_recalls_of_many_leads_are_cut_between_leads() -> None:
    async def story(bench: Bench) -> None:
        everyone = leads(0, 12)
        ownership = await bench.claimed()
        await bench.take(ownership, arrived([engaged("0", lead) for lead in everyone]))
        await bench.take(ownership, arrived([engaged(f"{n}", everyone[0]) for n in range(1, 4)], 12))
        late = [engaged("late", lead, "late") for lead in everyone]
        counts = await bench.take(ownership, arrived([engaged("w", everyone[0]), *late], 15))
        assert max(counts) <= 4, counts
        totals = bench.store.partitions[0].progress.totals
        assert (totals["records"], totals["facts"], totals["again"]) == (28, 28, 12)
        counted = {bench.service.load(lead, row.state).count for lead, (_, row) in bench.store.leads.items()}
        assert counted == {2, 6}

    played(story, Slow(costs=("recall",)))


@pytest.mark.parametrize("costs", [(), ("recall",)])
def test_the_fact_on_which_a_recall_fails_is_found_in_few_attempts(costs: tuple[str, ...]) -> None:
    service = Slow(costs=costs)

    async def story(bench: Bench) -> None:
        [ada] = leads(0, 1)
        kinds = ["late"] * 40 + ["boom"] + ["late"] * 23
        batch = arrived([engaged(str(number), ada, kind) for number, kind in enumerate(kinds)])
        ownership = await bench.claimed()
        await bench.take(ownership, batch)
        totals = bench.store.partitions[0].progress.totals
        assert (totals["facts"], totals["dead_letters:rules_failed"]) == (63, 1)
        assert len(service.recalled) < 32, "one for each fact, and one more for each half, would be 64 and more"
        assert (len(bench.commits) > 1) == bool(costs), "time was up before the last was found"

    played(story, service)


def test_a_commit_that_is_cancelled_is_tried_smaller() -> None:
    async def story(bench: Bench) -> None:
        events = arrived([engaged("0", lead) for lead in leads(0, 30)])
        counts = await bench.take(await bench.claimed(bench.journal(most_facts=4)), events)
        assert max(counts) <= 4, counts
        assert bench.store.partitions[0].progress.totals["facts"] == 30

    played(story, Slow(costs=()))


def test_a_recall_of_many_leads_that_is_cancelled_is_read_in_parts() -> None:
    async def story(bench: Bench) -> None:
        ownership = await bench.claimed(bench.journal(most_leads=2))
        await bench.take(ownership, arrived([engaged("0", lead) for lead in leads(0, 30)]))
        late = arrived([engaged("1", lead, "late") for lead in leads(0, 30)], 30)
        assert await bench.take(ownership, late) == [30], "one commit, for nothing but the reading was too much"
        assert bench.store.partitions[0].progress.totals["again"] == 30

    played(story, Slow(costs=()))


def test_a_single_record_whose_statement_is_cancelled_is_no_dead_letter() -> None:
    async def story(bench: Bench) -> None:
        ownership = await bench.claimed(bench.journal(most_facts=0))
        with pytest.raises(StatementTimeout):
            await bench.take(ownership, arrived([engaged(str(n), leads(0, 1)[0]) for n in range(3)]))
        assert bench.commits == []

    played(story)


def _lagging(bench: Bench, waiting: str) -> Callable[[Tally, Fact, At], Decision[Tally]]:
    """The service's decisions, but for the one fact that names a version to come."""
    decide = bench.service.decide

    def lagging(state: Tally, fact: Fact, at: At) -> Decision[Tally]:
        if fact.event.id == waiting:
            raise OlderPolicy("version 2 is not here yet")
        return decide(state, fact, at)

    return lagging


def test_a_record_that_names_a_version_to_come_waits_and_what_was_read_before_it_does_not() -> None:
    async def story(bench: Bench) -> None:
        ada, bob = leads(0, 2)
        records = arrived([engaged("1", ada), engaged("2", bob), engaged("3", ada)])
        with patch.object(bench.service, "decide", _lagging(bench, "2")):
            ownership = await bench.claimed()
            assert await ownership.take(records) == 1
            with pytest.raises(OlderPolicy):
                await ownership.take(records[1:])
        assert bench.store.partitions[0].progress.totals["facts"] == 1
        await bench.take(await bench.claimed(), records[1:])
        assert bench.store.partitions[0].progress.totals["facts"] == 3
        assert not [record for batch in bench.commits for record in batch.outbox if "dlq" in record.topic]

    played(story)


def test_what_is_due_does_not_wait_with_a_record_that_names_a_version_to_come() -> None:
    async def story(bench: Bench) -> None:
        bench.has(3, due=NOW + timedelta(seconds=20))
        event = engaged("2", leads(0, 5)[-1])
        with patch.object(bench.service, "decide", _lagging(bench, "2")):
            bench.log.append("engagements", 0, event.subject.encode(), event.encode())
            async with asyncio.timeout(60), running(bench, ready=False):
                await asyncio.sleep(40)
        totals = bench.store.partitions[0].progress.totals
        assert (totals["fired"], totals.get("facts", 0)) == (3, 0)

    played(story)


def test_every_claim_after_a_claim_without_a_commit_takes_half_whoever_claims() -> None:
    async def story(bench: Bench) -> None:
        lead = leads(0, 1)[0]
        events = [engaged(str(number), lead) for number in range(9_000)]
        bench.service.costs = ()
        assert await (await bench.claimed()).take(arrived(events)) == 5_000
        for _ in range(4):  # each dies before it commits anything
            ownership = await bench.claimed()
        counts = await bench.take(ownership, arrived(events[5_000:7_382], 5_000))
        assert counts == [625, 781, 976], "claimed three times for nothing, then a quarter more each time"
        first = await (await bench.claimed()).take(arrived(events[7_382:], 7_382))
        assert first == 976, "the size that went through last"
        ownership = await bench.claimed()
        for _ in range(30):
            ownership = await bench.claimed()
        assert await ownership.take(arrived(events[8_358:], 8_358)) == 1

    played(story)


def test_the_slices_of_due_leads_halve_too() -> None:
    async def story(bench: Bench) -> None:
        bench.service.costs = ()
        await bench.take(await bench.claimed(), arrived([engaged("0", leads(0, 1)[0])]))
        bench.has(SLICE, due=NOW - timedelta(1))
        for _ in range(3):
            ownership = await bench.claimed()
        assert await bench.tick(ownership) == SLICE // 4

    played(story)


def test_a_deadline_waits_for_what_is_fetched_and_not_yet_taken() -> None:
    async def story(bench: Bench) -> None:
        ada, bob = leads(0, 2)
        events = [engaged("first", ada, "soon"), *(engaged(str(n), bob) for n in range(30)), engaged("last", ada)]
        async with running(bench):
            for event in events:
                bench.log.append("engagements", 0, event.subject.encode(), event.encode())
            await asyncio.sleep(30)
        judged = [state.count for state, at in bench.service.looked if state.due is not None and state.due <= at.known]
        assert len(bench.service.looked) > 1, "the deadline came while the feed was behind"
        assert judged == [2], "it was judged once, by all that had been received"

    played(story, Patient())


def test_an_owner_does_not_take_its_own_silence_for_a_lost_membership() -> None:
    async def story(bench: Bench) -> None:
        loop, exits = asyncio.get_running_loop(), list[int]()
        assert isinstance(loop, Loop)
        with patch.object(os, "_exit", exits.append):
            async with running(bench) as (supervisor, group, consumer):
                group.expel(consumer)
                loop.spend(100)
                await asyncio.sleep(30)
                assert exits == []
                assert supervisor.ready() is None, "it has come back by itself"
                bench.network.down.add("log")
                await asyncio.sleep(90)
                assert STUCK in exits, "one that is awake and not heard ends itself"
                bench.network.down.clear()

    played(story)
