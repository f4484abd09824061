"""One partition in memory, and a service with slow rules."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from chassis.kafka.consumer import Received
from chassis.partition.journal import Batch, LeadRow
from chassis.partition.owner import Ownership
from chassis.partition.supervisor import Supervisor
from chassis.partition.worker import Links
from chassis.process.failures import StatementTimeout
from chassis.process.settings import Worker as Settings
from chassis.service import At, Decision, Keep, Move, Recall
from schemas.envelope import Fact
from tests.integration.chassis.counting import Counting, Recalling, Tally
from tests.integration.chassis.driving import leads
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
    """Each decision that is named computes for 0.2 s. A lead that rots waits for ever."""

    costs: tuple[str, ...] = ("decide", "tick", "recall")
    decided: list[str] = field(default_factory=list)

    def decide(self, state: Tally, fact: Fact, at: At) -> Decision[Tally]:
        self._compute("decide")
        self.decided.append(fact.event.id)
        return super().decide(state, fact, at)

    def tick(self, state: Tally, at: At) -> Keep[Tally] | Recall:
        self._compute("tick")
        self.looked.append((state, at))
        if state.rotting:
            return Keep(state, due=state.due)
        return Keep(Tally(state.count), counts={"fired": 1})

    def recall(self, state: Tally, earlier: Sequence[Fact], heard: Sequence[Fact], at: At) -> Keep[Tally]:
        self._compute("recall")
        return super().recall(state, earlier, heard, at)

    def _compute(self, what: str) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        loop.spend(RULE_SECONDS if what in self.costs else 0)


class Patient(Slow):
    """A lead whose due is later than `known` waits."""

    def tick(self, state: Tally, at: At) -> Keep[Tally] | Recall | Move:  # type: ignore[override]
        return Counting.tick(self, state, at)


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
        offsets = {topic: claim.progress.offsets.get(topic, 0) for topic in self.service.inputs}
        ownership = Ownership(self.service, journal, self.publisher, claim, offsets, partitions=4)
        await ownership.committer.drain()
        self.commits.clear()
        return ownership

    async def take(self, ownership: Ownership[Tally], records: Sequence[Received]) -> list[int]:
        """How many each commit took, until all are taken."""
        counts: list[int] = []
        while sum(counts) < len(records):
            counts.append(await ownership.take(records[sum(counts) :]))
            assert ownership.committer.progress.offsets["engagements"] == records[sum(counts) - 1].offset + 1
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
        await ownership.tick(idle=True)
        return len(self.service.looked) - before


def played(story: Callable[[Bench], Awaitable[None]], service: Slow | None = None) -> None:
    """Runs the story where time is what the rules compute."""
    loop = Loop(Random(1))
    try:
        loop.run_until_complete(story(Bench(loop, service or Slow())))
    finally:
        loop.bury()


@asynccontextmanager
async def running(bench: Bench, *, ready: bool = True) -> AsyncIterator[tuple[Supervisor[Tally], Group, LogConsumer]]:
    """A process of the service in a group of its own; `ready`: whether it can work at once."""
    group = Group(4, Random(1), bench.network)
    consumer = LogConsumer(bench.log, group, bench.network, ("engagements",), Random(1))
    links = Links(consumer, bench.publisher, journals_of(bench.store, bench.network), Settings())
    supervisor, stop = Supervisor(bench.service, links), asyncio.Event()
    task = asyncio.create_task(supervisor.run(stop))
    await asyncio.sleep(5)
    assert (supervisor.ready() is None) == ready
    yield supervisor, group, consumer
    stop.set()
    await task
