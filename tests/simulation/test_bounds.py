"""What router and sla-monitor keep of one lead is bounded, whatever a faulty sender sends."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest

from chassis.kafka.consumer import Received
from chassis.partition import owner
from chassis.partition.journal import LeadRow
from chassis.partition.owner import Ownership
from chassis.policy import Policies
from router.app import Router
from router.rules.lead import STEPS_KEPT, WAITING_KEPT
from schemas.engagements import Erasure, Suppression
from schemas.envelope import Envelope, older_fingerprint
from schemas.handoffs import SuppressedOnHandoffs
from schemas.sales import DAILY, SalesAccepted, SalesContacted, SalesQualified
from schemas.scores import ErasedOnScores
from sla_monitor.app import SlaMonitor
from sla_monitor.rules import ACTIVITIES_KEPT
from tests.builders import a_handoff, a_policy, a_sales_activity, a_score
from tests.integration.chassis.driving import leads
from tests.simulation.kafka import LogPublisher
from tests.simulation.log import Log
from tests.simulation.loop import Loop
from tests.simulation.network import Network
from tests.simulation.store import Store, StoreJournal

[ADA] = leads(0, 1)
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
TOPICS = ("lead-scores", "lead-handoffs", "sla-clocks", "sla-breaches", "sales-activities-dlq")
POLICIES = Policies(Path(), (a_policy(),))


LOOPS: list[Loop] = []


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(owner, "MANY_FACTS", 10**6)
    yield
    while LOOPS:
        LOOPS.pop().bury()


class Bench:
    """Partition 0 of a service, on a store in memory."""

    def __init__(self, service: Any) -> None:
        self.service, self.loop = service, Loop(Random(1))
        LOOPS.append(self.loop)
        self.store = Store(lambda: datetime.now(UTC))
        network = Network(Random(1))
        network.calm = True
        self._journal = StoreJournal(self.store, network, 0)
        self._publisher = LogPublisher(Log(TOPICS, 4, lambda: 0), network)
        self._read = dict.fromkeys(service.inputs, 0)

    def hear(self, *events: Envelope) -> None:
        """The events by a new owner, who remembers nothing."""
        self.loop.run_until_complete(self._hear([self._arrived(event) for event in events]))

    async def _hear(self, records: Sequence[Received]) -> None:
        claim = await self._journal.claim()
        offsets = {topic: claim.progress.offsets.get(topic, 0) for topic in self.service.inputs}
        owner: Ownership[Any] = Ownership(self.service, self._journal, self._publisher, claim, offsets, partitions=4)
        await owner.committer.drain()
        for start in range(0, len(records), 500):
            taken, some = 0, records[start : start + 500]
            while taken < len(some):
                taken += await owner.take(some[taken:])

    def _arrived(self, event: Envelope) -> Received:
        key, value = event.subject.encode(), event.encode()
        offset = self._read[event.topic]
        self._read[event.topic] += 1
        now = int(datetime.now(UTC).timestamp() * 1000)
        return Received(event.topic, 0, offset, now, key, value, ())

    @property
    def totals(self) -> dict[str, int]:
        return self.store.partitions[0].progress.totals

    @property
    def row(self) -> LeadRow:
        return self.store.leads[ADA][1]

    @property
    def text(self) -> str:
        """The lead's state as stored."""
        return self.row.state

    @property
    def lead(self) -> Any:
        return self.service.load(ADA, self.text)


def a_router() -> Bench:
    bench = Bench(Router(POLICIES))
    bench.hear(a_score(65, subject=ADA, time=TODAY))
    return bench


def a_monitor() -> Bench:
    bench = Bench(SlaMonitor(POLICIES, timedelta(seconds=60)))
    bench.hear(a_handoff(subject=ADA, time=TODAY))
    return bench


def activities(count: int, kind: Any = SalesAccepted, days: int = 1, **fields: Any) -> Iterable[Envelope]:
    """Of so many days up to today, each of another id."""
    for number in range(count):
        time = TODAY - timedelta(days=number % days) + timedelta(microseconds=number)
        yield a_sales_activity(kind, subject=ADA, id=f"{kind.__name__}-{number}", time=time, **fields)


@pytest.mark.parametrize("make", [a_router, a_monitor])
def test_of_a_broken_crm_a_day_keeps_so_many_activities_of_each_type(make: Any) -> None:
    bench = make()
    before = len(bench.store.facts)

    bench.hear(*activities(10_000, SalesContacted))

    assert len(bench.store.facts) == before + DAILY
    assert bench.totals["dropped:flood"] == 10_000 - DAILY == bench.row.dropped["flood"]
    assert bench.totals["records"] == bench.totals["facts"] + bench.totals["dropped:flood"]
    bench.hear(*activities(3, SalesQualified))
    assert len(bench.store.facts) == before + DAILY + 3


def test_the_routers_state_of_a_lead_is_bounded() -> None:
    bench = a_router()
    largest = 0
    for turn in range(3):
        for episode in (None, 1, 2, 7):
            bench.hear(*activities(DAILY, episode=episode, days=80, source=f"crm-{turn}-{episode}"))
        largest = max(largest, len(bench.text)) if turn < 2 else largest

    assert len(bench.lead.steps) <= STEPS_KEPT + WAITING_KEPT
    assert len(bench.text) <= largest + 100, "as large as it was"


def test_the_monitors_state_of_a_lead_is_bounded_and_keeps_the_first_suppression() -> None:
    bench = a_monitor()
    quiet = [
        SuppressedOnHandoffs(
            id=f"quiet-{number}",
            source="baton/router",
            subject=ADA,
            time=TODAY - timedelta(days=80) + timedelta(seconds=number),
            data=Suppression(),
        )
        for number in range(300)
    ]
    bench.hear(*reversed(quiet))
    bench.hear(*activities(3 * ACTIVITIES_KEPT, SalesContacted, days=60))

    assert len(bench.lead.activities) == ACTIVITIES_KEPT + 1
    assert bench.lead.activities[0].id == "quiet-0"


def test_of_a_leads_scores_one_is_kept_and_each_has_its_outcome() -> None:
    bench = a_router()
    versions = [*range(2, 700), *range(300, 400)]

    bench.hear(*(a_score(40, version, subject=ADA, time=TODAY) for version in versions))
    bench.hear(*(a_score(40, version, subject=ADA, time=TODAY) for version in (5, 699, 700)))

    assert [fact.event.id for fact in bench.store.facts.values()] == ["score-700"]
    totals = bench.totals
    assert (totals["facts"], totals["replaced"], totals["duplicates"]) == (1, len(versions) + 2, 1)
    assert totals["records"] == len(versions) + 4
    assert bench.lead.score.version == 700


@pytest.mark.parametrize("make", [a_router, a_monitor])
def test_a_day_keeps_so_many_events_of_unknown_types(make: Any) -> None:
    bench = make()
    before = len(bench.store.facts)

    bench.hear(*(_novelty(number) for number in range(3 * DAILY)))

    assert len(bench.store.facts) == before + DAILY
    assert bench.totals["dropped:flood"] == 2 * DAILY == bench.row.dropped["flood"]


def test_a_score_that_was_replaced_in_the_batch_of_an_erasure_is_not_deleted_twice() -> None:
    bench = a_router()
    bench.hear(*activities(DAILY + 2))
    assert bench.row.dropped, "its facts are counted before anything is decided of it"
    kept = len(bench.store.facts)

    bench.hear(a_score(40, 2, subject=ADA, time=TODAY), _an_erasure())

    assert len(bench.store.facts) == 1
    assert bench.row.deleted == kept


def test_what_an_older_version_has_kept_is_known_again() -> None:
    bench = a_router()
    events = [*activities(1), _novelty(1)]
    bench.hear(*events)
    for key, fact in bench.store.facts.items():
        bench.store.facts[key] = fact._replace(fingerprint=older_fingerprint(fact))

    bench.hear(*events, a_score(65, subject=ADA, time=TODAY))

    assert (bench.totals["duplicates"], bench.totals["facts"], bench.totals["records"]) == (3, 3, 6)


class _Novelty(Envelope):
    topic: ClassVar[str] = "sales-activities"
    data: dict[str, Any]


def _novelty(number: int) -> _Novelty:
    about = {"id": f"novelty-{number}", "source": "crm", "type": f"baton.sales.new{number}.v1", "subject": ADA}
    return _Novelty(**about, time=TODAY, data={"b": 1.0, "a": number})


def _an_erasure() -> ErasedOnScores:
    return ErasedOnScores(id="erased", source="baton/scorer", subject=ADA, time=TODAY, data=Erasure())
