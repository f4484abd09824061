"""The contract of the journal, on Postgres and in the simulation."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.kafka.publisher import Record
from chassis.partition.journal import (
    Batch,
    FactKnown,
    Journal,
    LeadRow,
    Progress,
    RefusedByDatabase,
    Revision,
    SharedConflict,
)
from chassis.partition.pending import ALWAYS
from chassis.process.failures import Fenced
from schemas.envelope import Fact
from tests.builders import a_fact, an_engagement, at
from tests.integration.chassis.driving import leads
from tests.simulation.places import OnRealServers, OnSimulatedOnes, Place
from tests.simulation.store import StoreJournal

ADA, BOB = leads(0, 2)
ONE, TWO, THREE = (a_fact(an_engagement(id=id_, subject=ADA), at(int(id_))) for id_ in ("1", "2", "3"))
OTHER = a_fact(an_engagement(id="1", subject=BOB))
TOLD = Record("lead-scores", b"k", b"v", [("name", b"value")])
ASIDE = Record("engagements-dlq", None, None, [("raw", b"\xff\x00"), ("empty", None)], 3)


def batch(offset: int = 7, out_seq: int = 0, **fields: Any) -> Batch:
    return Batch(Progress({"engagements": offset}, out_seq=out_seq), **fields)


def whole(record: Record) -> tuple[Any, ...]:
    return record.topic, record.key, record.value, list(record.headers), record.partition


async def written(journal: Journal) -> tuple[Any, ...]:
    """What one finds of it all: the claim's, the outbox, the leads, the facts."""
    claim = await journal.claim()
    return (
        claim.progress,
        [seq for seq, _ in await journal.leftovers(0)],
        await journal.leads([ADA, BOB]),
        sorted(await journal.fingerprints([(fact.lead_id, *fact.key) for fact in (ONE, TWO, THREE)])),
    )


def _key(fact: Fact) -> tuple[str, str]:
    return fact.key


class Contract:
    """The tests; a subclass says where."""

    async def test_a_slice_has_the_next_facts_of_each_lead_by_source_and_id(self, place: Place) -> None:
        upper = a_fact(an_engagement(id="0", subject=ADA, source="Z"), at(0))
        async with place.journal(0) as journal:
            await journal.claim()
            await journal.commit(1, batch(facts=[THREE, upper, ONE, TWO, OTHER]), 0)
            start = [(ADA, "", ""), (BOB, "", "")]
            assert sorted((row[0], row[1]) for row in await journal.slices(start, 2)) == sorted(
                (fact.lead_id, fact.value) for fact in [*sorted([upper, ONE, TWO, THREE], key=_key)[:2], OTHER]
            )
            rest = await journal.slices([(ADA, *ONE.key), (BOB, *OTHER.key)], 9)
            assert [row[1] for row in rest if row[0] == BOB] == []
            assert {row[1] for row in rest} >= {TWO.value, THREE.value}

    async def test_erased_leads_keep_the_facts_of_the_same_batch_and_others_keep_all(self, place: Place) -> None:
        async with place.journal(0) as journal:
            await journal.claim()
            await journal.commit(1, batch(facts=[ONE, TWO, OTHER]), 0)
            with pytest.raises(Fenced):
                await journal.commit(2, batch(erased={ADA: ALWAYS}), 0)
            await journal.commit(1, batch(facts=[THREE], erased={ADA: ALWAYS}), 0)
            left = await journal.facts([ADA, BOB])
        assert sorted(each[:2] for each in left) == sorted((fact.lead_id, fact.value) for fact in (THREE, OTHER))

    async def test_a_row_says_how_many_facts_its_erasure_deleted_and_what_was_dropped(self, place: Place) -> None:
        since = at()
        async with place.journal(0) as journal:
            await journal.claim()
            rows = [LeadRow(ADA, 1, None, "{}"), LeadRow(BOB, 1, None, "{}", dropped={"flood": 2})]
            await journal.commit(1, batch(facts=[ONE, TWO, OTHER], leads=rows), 0)
            assert await journal.leads([ADA]) + await journal.leads([BOB]) == rows
            erased = LeadRow(ADA, 2, None, "{}", since, {"flood": 1})
            await journal.commit(
                1, batch(facts=[THREE], leads=[erased, rows[1]], erased={ADA: ALWAYS}, unwritten={ADA: 5}), 0
            )
            assert await journal.leads([ADA]) == [replace(erased, deleted=2 + 5)]
            later = replace(erased, version=3, due=at(1), dropped={"flood": 1, "erased": 1}, deleted=0)
            await journal.commit(1, batch(leads=[later]), 0)
            kept = replace(later, deleted=7)
            assert await journal.leads([ADA]) + await journal.leads([BOB]) == [kept, rows[1]]
            assert (await journal.due(9))[1] == [kept]
            assert kept in (await journal.beyond("", 9))[1]

    async def test_of_a_lead_that_is_erased_in_part_only_the_facts_of_those_times_go(self, place: Place) -> None:
        facts = [a_fact(an_engagement(id=str(minute), subject=ADA, time=at(minute))) for minute in range(1, 6)]
        row = LeadRow(ADA, 1, None, "{}")
        async with place.journal(0) as journal:
            await journal.claim()
            await journal.commit(1, batch(facts=[*facts[:3], OTHER], leads=[row]), 0)
            await journal.commit(1, batch(facts=[facts[3]], erased={ADA: ((at(2), at(3)),)}, leads=[row]), 0)
            left = await journal.facts([ADA, BOB])
            assert sorted(each[1] for each in left) == sorted(fact.value for fact in (*facts[:1], *facts[2:4], OTHER))
            assert await journal.leads([ADA]) == [replace(row, deleted=1)]
            twice, unwritten = ((None, at(1.5)), (at(4), None), (at(3.5), at(9))), {ADA: 2}
            await journal.commit(1, batch(facts=facts[4:], erased={ADA: twice}, unwritten=unwritten, leads=[row]), 0)
            assert {each[1] for each in await journal.facts([ADA])} == {facts[2].value, facts[4].value}
            assert await journal.leads([ADA]) == [replace(row, deleted=1 + 2 + 2)]

    async def test_replaced_facts_are_deleted_by_the_commit_that_has_the_newer_ones(self, place: Place) -> None:
        async with place.journal(0) as journal:
            await journal.claim()
            await journal.commit(1, batch(facts=[ONE, TWO, OTHER]), 0)
            gone, row = [(ADA, *ONE.key), (BOB, *TWO.key)], LeadRow(ADA, 1, None, "{}", at())
            with pytest.raises(Fenced):
                await journal.commit(2, batch(facts=[THREE], replaced=gone), 0)
            await journal.commit(1, batch(facts=[THREE], replaced=gone), 0)
            left = await journal.facts([ADA, BOB])
            assert sorted(each[1] for each in left) == sorted(fact.value for fact in (TWO, THREE, OTHER))
            await journal.commit(
                1, batch(facts=[ONE], replaced=[(ADA, *TWO.key)], erased={ADA: ALWAYS}, leads=[row]), 0
            )
            left = await journal.facts([ADA, BOB])
            assert sorted(each[1] for each in left) == sorted(fact.value for fact in (ONE, OTHER))
            assert [row.deleted for row in await journal.leads([ADA])] == [1], "what was replaced is not counted"

    async def test_claim_raises_the_epoch_and_tells_what_is_there(self, place: Place) -> None:
        async with place.journal(0) as journal:
            first = await journal.claim()
            assert (first.epoch, first.progress, first.next_due, first.owed_since) == (1, Progress(), None, None)
            due = first.now + timedelta(seconds=50)
            row = LeadRow(ADA, 1, due, "{}")
            moved = Progress({"engagements": 7}, {"engagements": 9}, Counter(facts=1), Revision(2, ADA), 1)
            now = await journal.commit(1, Batch(moved, leads=[row], outbox=[TOLD]), 0)
            second = await journal.claim()
        assert (second.epoch, second.progress, second.next_due) == (2, moved, due)
        assert second.owed_since is not None
        assert first.now <= now <= second.now
        assert first.now <= second.owed_since <= second.now

    async def test_only_the_latest_owner_writes(self, place: Place) -> None:
        everything = batch(out_seq=1, facts=[ONE], leads=[LeadRow(ADA, 1, None, "{}")], outbox=[TOLD])
        async with place.journal(0) as older, place.journal(0) as newer, place.journal(1) as other:
            with pytest.raises(Fenced):
                await older.commit(1, everything, 0)  # nobody has claimed it
            epoch = (await older.claim()).epoch
            before = await written(newer)
            await other.claim()
            with pytest.raises(Fenced):
                await older.commit(epoch, everything, 0)
            assert await written(newer) == before == (Progress(), [], [], [])

    async def test_a_stale_owner_hears_that_first_whatever_else_is_wrong(self, place: Place) -> None:
        async with place.journal(0) as older, place.journal(0) as newer:
            epoch = (await older.claim()).epoch
            await older.shared(["turn"])
            await newer.commit((await newer.claim()).epoch, batch(facts=[ONE], shared=[("turn", 0, 1)]), 0)
            with pytest.raises(Fenced):
                await older.commit(epoch, batch(facts=[ONE], shared=[("turn", 0, 1)]), 0)

    async def test_a_commit_comes_before_the_next_claim_or_not_at_all(self, place: Place) -> None:
        async with place.journal(0) as older, place.journal(0) as newer:
            for turn in range(30):
                epoch = (await older.claim()).epoch
                moved = batch(offset=turn)
                done, claim = await asyncio.gather(older.commit(epoch, moved, 0), newer.claim(), return_exceptions=True)
                assert not isinstance(claim, BaseException)
                assert isinstance(done, Fenced | datetime)
                assert (claim.progress.offsets.get("engagements") == turn) == isinstance(done, datetime)

    async def test_a_claim_that_waited_for_a_commit_finds_all_of_it(self, place: Place) -> None:
        async with place.journal(0) as older, place.journal(0) as newer:
            claim = await older.claim()
            due = claim.now + timedelta(seconds=50)
            async with place.slow_disk() as waiting:
                full = batch(out_seq=1, leads=[LeadRow(ADA, 1, due, "{}")], outbox=[TOLD])
                commit = asyncio.create_task(older.commit(claim.epoch, full, 0))
                await waiting(1)
                taken = asyncio.create_task(newer.claim())
                await waiting(2)
            _, found = await commit, await taken
        assert (found.progress, found.next_due) == (full.progress, due)
        assert found.owed_since is not None
        assert claim.now <= found.owed_since <= found.now

    async def test_a_known_fact_undoes_the_whole_commit(self, place: Place) -> None:
        async with place.journal(0) as journal:
            await journal.commit((await journal.claim()).epoch, batch(facts=[ONE, TWO]), 0)
            before = await written(journal)
            assert before[3] == [0, 1]
            epoch = (await journal.claim()).epoch
            more: dict[str, Any] = {"out_seq": 1, "leads": [LeadRow(ADA, 1, None, "{}")], "outbox": [TOLD]}
            for facts in ([THREE, TWO], [THREE, THREE]):
                with pytest.raises(FactKnown):
                    await journal.commit(epoch, batch(offset=9, facts=facts, **more), 0)
            assert await written(journal) == before

    async def test_known_are_the_fingerprints_of_the_leads_own_facts(self, place: Place) -> None:
        async with place.journal(0) as journal:
            await journal.commit((await journal.claim()).epoch, batch(facts=[TWO]), 0)
            asked = [(ADA, *ONE.key), (BOB, *TWO.key), (ADA, *TWO.key)]
            assert await journal.fingerprints(asked) == {2: TWO.fingerprint}

    async def test_facts_are_all_of_the_leads_asked_for_and_no_others(self, place: Place) -> None:
        async with place.journal(0) as journal:
            assert await journal.facts([ADA]) == []
            await journal.commit((await journal.claim()).epoch, batch(facts=[ONE, TWO, OTHER]), 0)
            found = await journal.facts([ADA, ADA[::-1]])
            kept = ((ADA, fact.value, fact.time, fact.fingerprint, fact.received) for fact in (ONE, TWO))
            assert sorted(found) == sorted(kept)

    async def test_shared_rows_are_compared_before_they_are_set(self, place: Place) -> None:
        async with place.journal(0) as one, place.journal(1) as other:
            for name in ("turn", *(f"turn {n}" for n in range(30))):
                first = await asyncio.gather(*(journal.shared([name]) for journal in (one, other)))
                assert first == [{name: (0, None)}] * 2, "there for both, though they ask at once"
            epochs = [(await journal.claim()).epoch for journal in (one, other)]
            await one.commit(epochs[0], batch(shared=[("turn", 0, {"next": 1})]), 0)
            late = batch(out_seq=1, facts=[ONE], outbox=[TOLD], shared=[("turn", 0, {"next": 1})])
            with pytest.raises(SharedConflict):
                await other.commit(epochs[1], late, 0)
            assert (await written(other))[0::3] == (Progress(), [])
            assert await other.shared(["turn"]) == {"turn": (1, {"next": 1})}

    async def test_two_partitions_that_take_the_same_turn_at_once_never_both_get_it(self, place: Place) -> None:
        async with place.journal(0) as one, place.journal(1) as other:
            epochs = [(await journal.claim()).epoch for journal in (one, other)]
            for turn in range(20):
                await one.shared(["turn"])
                same = batch(shared=[("turn", turn, turn)])
                took = await asyncio.gather(
                    one.commit(epochs[0], same, 0), other.commit(epochs[1], same, 0), return_exceptions=True
                )
                assert sorted(type(each).__name__ for each in took) == ["SharedConflict", "datetime"]

    async def test_outbox_keeps_its_order_until_it_is_acknowledged(self, place: Place) -> None:
        async with place.journal(0) as journal:
            epoch = (await journal.claim()).epoch
            await journal.commit(epoch, batch(out_seq=3, outbox=[TOLD] * 3), 0)
            assert [seq for seq, _ in await journal.leftovers(1)] == [2, 3]
            await journal.commit(epoch, batch(out_seq=4, outbox=[ASIDE]), 2)
            left = await journal.leftovers(0)
            assert [(seq, whole(each)) for seq, each in left] == [(3, whole(TOLD)), (4, whole(ASIDE))]
            await journal.commit(epoch, batch(out_seq=5, outbox=[TOLD]), 5)
            assert [seq for seq, _ in await journal.leftovers(0)] == [5]  # what the statement itself writes stays

    async def test_an_outbox_number_that_is_taken_is_refused(self, place: Place) -> None:
        async with place.journal(0) as journal:
            epoch = (await journal.claim()).epoch
            await journal.commit(epoch, batch(out_seq=1, outbox=[TOLD]), 0)
            before = await written(journal)
            epoch = (await journal.claim()).epoch
            again = batch(offset=9, out_seq=1, facts=[ONE], outbox=[TOLD])
            with pytest.raises(RefusedByDatabase):
                await journal.commit(epoch, again, 0)
            assert await written(journal) == before

    async def test_beyond_are_the_partitions_next_leads_by_id(self, place: Place) -> None:
        async with place.journal(0) as journal, place.journal(1) as other:
            epochs = [(await each.claim()).epoch for each in (journal, other)]
            assert await journal.beyond("", 9) == (None, [])
            rows = [LeadRow(name, 1, None, "{}") for name in ("c", "a", "b")]
            before = await journal.commit(epochs[0], batch(leads=rows), 0)
            await other.commit(epochs[1], batch(leads=[LeadRow("aa", 1, None, "{}")]), 0)
            now, found = await journal.beyond("", 2)
            assert [row.lead_id for row in found] == ["a", "b"]
            assert now is not None
            assert now >= before
            assert [row.lead_id for row in (await journal.beyond("a", 9))[1]] == ["b", "c"]
            assert await journal.beyond("c", 9) == (None, [])

    async def test_due_are_the_partitions_own_leads_earliest_first(self, place: Place) -> None:
        names = ["a", "b", "c", "d"]
        async with place.journal(0) as journal, place.journal(1) as other:
            claim = await journal.claim()
            past = [claim.now - timedelta(seconds=seconds) for seconds in (1, 3, 2)]
            dues = [*past, claim.now + timedelta(hours=1)]
            rows = [LeadRow(name, 1, due, "{}") for name, due in zip(names, dues, strict=True)]
            assert await journal.due(9) == (None, [])
            await journal.commit(claim.epoch, batch(leads=[*rows, LeadRow("e", 1, None, "{}")]), 0)
            await other.claim()
            now, found = await journal.due(9)
            assert [row.lead_id for row in found] == ["b", "c", "a"]
            assert now is not None
            assert claim.now <= now <= datetime.now(UTC) + timedelta(seconds=1)
            assert [row.lead_id for row in (await journal.due(2))[1]] == ["b", "c"]
            assert await journal.next_due() == dues[1]
            assert (await other.due(9), await other.next_due()) == ((None, []), None)
            await journal.commit(claim.epoch, batch(leads=[LeadRow(name, 2, None, '{"n": 1}') for name in names]), 0)
            assert (await journal.due(9), await journal.next_due()) == ((None, []), None)
            assert [(row.version, row.due) for row in await journal.leads(["a", "x"])] == [(2, None)]


class TestOnPostgres(OnRealServers, Contract):
    """The real thing."""


class TestInTheSimulation(OnSimulatedOnes, Contract):
    """What stands in for it."""

    def test_everything_public_is_stood_in_for(self) -> None:
        assert {name for name in vars(Journal) if not name.startswith("_")} <= vars(StoreJournal).keys()
