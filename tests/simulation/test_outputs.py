"""An output that its topic refuses: never put in an outbox; one that is there is set aside by an operator."""

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from chassis.kafka.publisher import Record, size_of
from chassis.partition import commit
from chassis.partition import owner as owning
from chassis.partition.commit import Stuck
from chassis.partition.journal import Batch, Progress
from chassis.partition.owner import Ownership
from schemas.sizes import MAX_RECORD, REJECTED
from tests.integration.chassis.counting import Counting, Recalling, Tally
from tests.integration.chassis.driving import arrived, engaged, leads
from tests.simulation.kafka import LogPublisher
from tests.simulation.log import Log
from tests.simulation.network import Network
from tests.simulation.store import Store, StoreJournal

ADA, BOB = leads(0, 2)
HUGE = Record("lead-scores", ADA.encode(), b"x" * MAX_RECORD, partition=0)


class Bench:
    """One partition, and its owners one after the other."""

    def __init__(self, service: Counting) -> None:
        network = Network(Random(1))
        network.calm = True
        self.service = service
        self.store = Store(lambda: datetime.now(UTC))
        topics = ("engagements", "engagements-dlq", "lead-scores", REJECTED)
        self.log = Log(topics, 4, lambda: int(datetime.now(UTC).timestamp() * 1000))
        self.publisher = LogPublisher(self.log, network)
        self.journal = StoreJournal(self.store, network, 0)

    async def owed(self, outbox: Sequence[Record]) -> None:
        """The rows stand in the outbox, as an older version left them."""
        epoch = (await self.journal.claim()).epoch
        await self.journal.commit(epoch, Batch(Progress(out_seq=len(outbox)), outbox=list(outbox)), 0)

    async def claimed(self, *aside: int) -> Ownership[Tally]:
        claim = await self.journal.claim()
        offsets = {topic: claim.progress.offsets.get(topic, 0) for topic in self.service.inputs}
        ownership = Ownership(self.service, self.journal, self.publisher, claim, offsets, partitions=4)
        await ownership.committer.drain(frozenset(aside))
        return ownership

    def totals(self) -> dict[str, int]:
        return self.store.partitions[0].progress.totals

    def outbox(self) -> list[int]:
        return sorted(self.store.partitions[0].outbox)


@pytest.mark.parametrize("service", [Counting(), Recalling()])
@pytest.mark.parametrize("others", [[], ["late"]])
async def test_an_output_that_is_too_large_is_a_failure_of_the_rules_for_its_fact(
    service: Counting, others: list[str]
) -> None:
    bench = Bench(service)
    ownership = await bench.claimed()
    kinds = ["tell", "huge", "tell", *others]
    records = arrived([engaged(str(number), ADA, kind) for number, kind in enumerate(kinds)])
    await ownership.take(records)
    [letter] = bench.log.topic("engagements-dlq")
    assert letter.value == records[1].value
    assert dict(letter.headers)["x-dlq-reason"] == b"rules_failed"
    assert dict(letter.headers)["x-dlq-error"] == b"OutputTooLarge"
    assert len(bench.log.topic("lead-scores")) == 2
    assert (bench.totals()["dead_letters:rules_failed"], bench.totals()["facts"]) == (1, len(kinds) - 1)
    assert max(len(record.value or b"") for record in bench.store.announced) < 2000


async def test_a_stuck_row_is_named_and_set_aside_when_told_so() -> None:
    bench = Bench(Counting())
    good = [Record("lead-scores", ADA.encode(), value, partition=0) for value in (b"1", b"2", b"3")]
    await bench.owed([good[0], HUGE, good[1], HUGE, good[2]])
    for aside in ((), (2,), (4, 5)):
        with pytest.raises(Stuck, match=r"lead-scores .*`scorer serve --set-aside 0/2 --set-aside 0/4` goes on"):
            await bench.claimed(*aside)
        assert bench.outbox() == [1, 2, 3, 4, 5]
    ownership = await bench.claimed(2, 4)
    rejected = bench.log.topic(REJECTED)
    assert [_about(each) for each in rejected] == [("unsent", "lead-scores", "0", seq, "scorer") for seq in ("2", "4")]
    assert {each.value for each in rejected} == {HUGE.value}
    assert {each.value for each in bench.log.topic("lead-scores")} == {b"1", b"2", b"3"}
    assert bench.totals()["set_aside"] == 2
    await ownership.take(arrived([engaged("1", ADA, "tell")]))
    assert bench.outbox() == [8]


async def test_a_row_that_goes_out_is_published_whatever_was_told() -> None:
    bench = Bench(Counting())
    await bench.owed([Record("lead-scores", ADA.encode(), b"1", partition=0)])
    await bench.claimed(1, 7)
    assert [each.value for each in bench.log.topic("lead-scores")] == [b"1"]
    assert bench.log.topic(REJECTED) == []
    assert "set_aside" not in bench.totals()


async def test_a_large_outbox_goes_out_in_pieces_each_within_a_deadline_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, calls = Bench(Counting()), list[int]()
    values = [b"%d" % number * 1000 for number in range(20)]
    rows = [Record("lead-scores", ADA.encode(), value, partition=0) for value in values]
    publish = bench.publisher.publish

    async def measured(records: Sequence[Record], place: Any = None) -> None:
        calls.append(sum(map(size_of, records)))
        await publish(records, place)

    monkeypatch.setattr(bench.publisher, "publish", measured)
    monkeypatch.setattr(commit, "PUBLISHED_BYTES", 5_000)
    await bench.owed([*rows, HUGE, *rows[:2], HUGE])
    with pytest.raises(Stuck, match="--set-aside 0/21 --set-aside 0/24"):
        await bench.claimed()
    assert [each.value for each in bench.log.topic("lead-scores")] == [*values, *values[:2]]
    assert max(size for size in calls if size < MAX_RECORD) <= 5_000 < sum(calls)


@pytest.mark.parametrize("service", [Counting(), Recalling()])
async def test_a_commit_takes_no_more_once_its_outputs_are_large(
    service: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, kinds, taken = Bench(service), ["tell"] * 6 + ["late"] * 6, 0
    monkeypatch.setattr(owning, "OUTPUT_BYTES", 100)
    records = arrived([engaged(str(number), lead, kind) for number, kind in enumerate(kinds) for lead in (ADA, BOB)])
    owner = await bench.claimed()
    commits = []
    while taken < len(records):
        before = len(bench.store.announced)
        taken += await owner.take(records[taken:])
        commits.append(len(bench.store.announced) - before)
    assert max(commits) == 1
    assert bench.totals()["facts"] == len(records)


def _about(record: Any) -> tuple[str, ...]:
    headers = dict(record.headers)
    return tuple(headers[f"x-dlq-{name}"].decode() for name in ("reason", "topic", "partition", "seq", "service"))
