"""A commit is bounded in time: what is left goes on where it stopped, and what does not go through is tried smaller."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import pytest

from chassis.epoch import Takeover
from chassis.failures import StatementTimeout
from chassis.files import Files
from chassis.journal import Batch, LeadRow, Revision
from chassis.ownership import SLICE, Ownership
from chassis.policy import Policies
from chassis.service import At, Decision
from chassis.settings import Worker as Settings
from chassis.supervisor import STUCK, Supervisor
from chassis.worker import Links
from schemas.envelope import Fact
from tests.integration.chassis.counting import Recalling, Tally
from tests.integration.chassis.driving import arrived, engaged, leads
from tests.integration.chassis.test_chassis_revision import Version
from tests.simulation.kafka import LogConsumer, LogPublisher
from tests.simulation.log import Group, Log
from tests.simulation.loop import Loop
from tests.simulation.network import Network
from tests.simulation.store import Store, StoreJournal, journals_of

RULE_SECONDS = 0.2
NOW = datetime.now(UTC)
TOPICS = ("engagements", "engagements-dlq", "lead-scores")


@dataclass
class Slow(Recalling):
    """Every decision computes for 0.2 s. A tick of a lead with a due later than `known` waits."""

    known: bool = True
    decided: list[str] = field(default_factory=list)

    def decide(self, state: Tally, fact: Fact, at: At) -> Decision[Tally]:
        self._compute()
        self.decided.append(fact.event.id)
        return super().decide(state, fact, at)

    def tick(self, state: Tally, at: At) -> Decision[Tally]:
        self._compute()
        if state.rotting:  # here: waits for ever
            self.looked.append((state, at))
            return Decision(state, due=state.due)
        self.looked.append((state, at))
        return Decision(Tally(state.count), counts={"fired": 1})

    def again(self, state: Tally, earlier: Sequence[Fact], heard: Sequence[Fact], at: At) -> Decision[Tally]:
        self._compute()
        return super().again(state, earlier, heard, at)

    def _compute(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        loop.spend(RULE_SECONDS)


class Bench:
    """One partition of a store, and its owners one after the other."""

    def __init__(self, loop: Loop, service: Slow) -> None:
        self.service = service
        self.network = Network(Random(1))
        self.network.calm = True
        self.store = Store(lambda: NOW + timedelta(seconds=loop.time()))
        self.log = Log(TOPICS, 4, lambda: int((NOW.timestamp() + loop.time()) * 1000))
        self.publisher = LogPublisher(self.log, self.network)
        self.commits: list[Batch] = []

    def journal(self, most_facts: int = 10**6, most_leads: int = 10**6) -> StoreJournal:
        """Cancels a commit of more facts than that, and a recall of more leads."""
        bench = self

        class Watched(StoreJournal):
            async def commit(self, epoch: int, batch: Batch, acknowledged: int) -> datetime:
                if len(batch.facts) > most_facts:
                    raise StatementTimeout("statement timeout")
                bench.commits.append(batch)
                return await super().commit(epoch, batch, acknowledged)

            async def facts(self, leads: Sequence[str]) -> list[tuple[str, bytes, datetime, bytes, datetime]]:
                if len(leads) > most_leads:
                    raise StatementTimeout("statement timeout")
                return await super().facts(leads)

        return Watched(self.store, self.network, 0)

    async def claimed(self, journal: StoreJournal | None = None) -> Ownership[Tally]:
        journal = journal or self.journal()
        claim = await journal.claim()
        offsets = {topic: claim.offsets.get(topic, 0) for topic in self.service.inputs}
        ownership = Ownership(self.service, Takeover(0, claim, journal, offsets, 4), Files(self.service, journal, 1000))
        await ownership.drain(self.publisher)
        self.commits.clear()
        return ownership

    async def take(self, ownership: Ownership[Tally], records: Sequence[Any]) -> list[int]:
        """How many each commit took, until all are taken."""
        counts: list[int] = []
        while sum(counts) < len(records):
            counts.append(await ownership.take(records[sum(counts) :], self.publisher))
            assert ownership.offsets["engagements"] == records[sum(counts) - 1].offset + 1
        return counts

    def has(self, count: int, **fields: Any) -> list[str]:
        """Leads of the partition, by rising id."""
        found = sorted(leads(0, count))
        for lead in found:
            due = fields.get("due")
            state = self.service.dump(Tally(1, due, fields.get("waits", False)))
            self.store.leads[lead] = (0, LeadRow(lead, 1, due, state))
        return found

    async def tick(self, ownership: Ownership[Tally]) -> int:
        """How many leads it looked at."""
        before = len(self.service.looked)
        await ownership.tick(AtEnd(), self.publisher, idle=True)  # type: ignore[arg-type]
        return len(self.service.looked) - before


class AtEnd:
    async def at_end(self, part: int) -> set[str]:
        return {"engagements"}


def played(story: Callable[[Bench], Awaitable[None]], service: Slow | None = None) -> None:
    """Runs the story where time is what the rules compute."""
    loop = Loop(Random(1))
    try:
        loop.run_until_complete(story(Bench(loop, service or Slow())))
    finally:
        loop.bury()


def test_what_is_left_of_a_batch_is_taken_in_order_and_once() -> None:
    async def story(bench: Bench) -> None:
        [ada] = leads(0, 1)
        names = [str(number) for number in range(20)]
        counts = await bench.take(await bench.claimed(), arrived([engaged(name, ada) for name in names]))
        assert max(counts) <= 4, counts
        assert bench.service.decided == names
        assert [len(batch.facts) for batch in bench.commits] == counts
        assert bench.store.partitions[0].totals["records"] == bench.store.partitions[0].totals["facts"] == 20

    played(story)


def test_an_unreadable_record_behind_the_cut_becomes_one_dead_letter() -> None:
    async def story(bench: Bench) -> None:
        [ada] = leads(0, 1)
        events: list[Any] = [engaged(str(number), ada) for number in range(12)]
        events[2] = events[9] = b"{"
        await bench.take(await bench.claimed(), arrived(events))
        totals = bench.store.partitions[0].totals
        assert (totals["records"], totals["facts"], totals["dead_letters:not_json"]) == (12, 10, 2)

    played(story)


def test_due_leads_are_ticked_once_each_in_as_many_commits_as_it_takes() -> None:
    async def story(bench: Bench) -> None:
        bench.has(20, due=NOW - timedelta(1))
        ownership = await bench.claimed()
        looks = [await bench.tick(ownership) for _ in range(12)]
        assert max(looks) <= 4, looks
        assert sum(looks) == bench.store.partitions[0].totals["fired"] == 20
        assert bench.store.next_due(0) is None

    played(story)


def test_due_leads_that_wait_hold_up_none_behind_them() -> None:
    async def story(bench: Bench) -> None:
        bench.has(10, due=NOW - timedelta(2), waits=True)
        last = leads(0, 11)[-1]
        due = NOW - timedelta(1)
        bench.store.leads[last] = (0, LeadRow(last, 1, due, bench.service.dump(Tally(1, due))))
        await bench.tick(await bench.claimed())
        assert bench.store.partitions[0].totals["fired"] == 1

    played(story)


def test_a_revision_says_how_far_it_came_and_the_next_owner_goes_on_there() -> None:
    service = Slow(policies=Policies(Path("any"), (Version(1, NOW - timedelta(1)),)))

    async def story(bench: Bench) -> None:
        everyone = bench.has(20)
        ownership = await bench.claimed()
        first = await bench.tick(ownership)
        assert 0 < first <= 4
        assert bench.store.partitions[0].revision == Revision(1, everyone[first - 1])
        ownership = await bench.claimed()
        looks = [await bench.tick(ownership) for _ in range(20)]
        assert first + sum(looks) == bench.store.partitions[0].totals["fired"] == 20
        assert bench.store.partitions[0].revision == Revision(1, None)

    played(story, service)


def test_recalls_of_many_leads_are_cut_between_leads() -> None:
    async def story(bench: Bench) -> None:
        everyone = leads(0, 12)
        ownership = await bench.claimed()
        await bench.take(ownership, arrived([engaged("0", lead) for lead in everyone]))
        bench.commits.clear()
        # quick to decide, for they are late: all twelve wait for the recall
        with patch.object(bench.service, "_compute", lambda: None):
            await bench.take(ownership, arrived([engaged("w", lead) for lead in everyone], 12))
        await bench.take(ownership, arrived([engaged("1", lead, "late") for lead in everyone], 24))
        totals = bench.store.partitions[0].totals
        assert (totals["records"], totals["facts"], totals["again"]) == (36, 36, 12)
        assert len(bench.commits) > 4
        assert all(bench.service.load(lead, row.state).count == 3 for lead, (_, row) in bench.store.leads.items())

    played(story)


def test_a_statement_that_is_cancelled_is_tried_smaller() -> None:
    async def story(bench: Bench) -> None:
        everyone = leads(0, 30)
        with patch.object(bench.service, "_compute", lambda: None):
            ownership = await bench.claimed(bench.journal(most_facts=4, most_leads=2))
            await bench.take(ownership, arrived([engaged("0", lead) for lead in everyone]))
            await bench.take(ownership, arrived([engaged("1", lead, "late") for lead in everyone], 30))
        totals = bench.store.partitions[0].totals
        assert (totals["records"], totals["facts"], totals["again"]) == (60, 60, 30)

    played(story)


def test_a_single_record_whose_statement_is_cancelled_is_no_dead_letter() -> None:
    async def story(bench: Bench) -> None:
        ownership = await bench.claimed(bench.journal(most_facts=0))
        with pytest.raises(StatementTimeout):
            await bench.take(ownership, arrived([engaged(str(n), leads(0, 1)[0]) for n in range(3)]))
        assert bench.commits == []

    played(story)


def test_every_claim_after_a_claim_without_a_commit_takes_half_whoever_claims() -> None:
    async def story(bench: Bench) -> None:
        lead = leads(0, 1)[0]
        events = [engaged(str(number), lead) for number in range(9_000)]
        with patch.object(bench.service, "_compute", lambda: None):
            assert await (await bench.claimed()).take(arrived(events), bench.publisher) == 5_000
            for _ in range(4):  # each dies before it commits anything
                ownership = await bench.claimed()
            counts = await bench.take(ownership, arrived(events[5_000:7_382], 5_000))
            assert counts == [625, 781, 976], "claimed three times for nothing, then a quarter more each time"
            first = await (await bench.claimed()).take(arrived(events[7_382:], 7_382), bench.publisher)
            assert first == 976, "the size that went through last"
            ownership = await bench.claimed()
            for _ in range(30):
                ownership = await bench.claimed()
            assert await ownership.take(arrived(events[8_358:], 8_358), bench.publisher) == 1

    played(story)


def test_the_slices_of_due_leads_halve_too() -> None:
    async def story(bench: Bench) -> None:
        with patch.object(bench.service, "_compute", lambda: None):
            await bench.take(await bench.claimed(), arrived([engaged("0", leads(0, 1)[0])]))
            bench.has(SLICE, due=NOW - timedelta(1))
            for _ in range(3):
                ownership = await bench.claimed()
            assert await bench.tick(ownership) == SLICE // 4

    played(story)


def test_an_owner_does_not_take_its_own_silence_for_a_lost_membership() -> None:
    async def story(bench: Bench) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        group, exits = Group(4, Random(1), bench.network), list[int]()
        consumer = LogConsumer(bench.log, group, bench.network, ("engagements",), Random(1))
        links = Links(consumer, bench.publisher, journals_of(bench.store, bench.network), Settings())
        supervisor, stop = Supervisor(bench.service, links), asyncio.Event()
        with patch.object(os, "_exit", exits.append):
            running = asyncio.create_task(supervisor.run(stop))
            await asyncio.sleep(5)
            assert supervisor.ready() is None
            group.expel(consumer)
            loop.spend(100)
            await asyncio.sleep(30)
            assert exits == []
            assert supervisor.ready() is None, "it has come back by itself"
            bench.network.down.add("log")
            await asyncio.sleep(90)
            assert STUCK in exits, "one that is awake and not heard ends itself"
            bench.network.down.clear()
            stop.set()
            await running

    played(story)
