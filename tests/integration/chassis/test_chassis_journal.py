"""The commit: all or nothing, by the owner only, and nothing lost between it and the publishing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime

import pytest

from chassis.kafka.publisher import Place, Publisher, Record
from chassis.partition.journal import Batch, FactKnown, Journal, Progress
from chassis.postgres.database import connected
from chassis.process.failures import Fenced, Transient
from tests.builders import a_fact
from tests.integration.chassis.counting import Counting
from tests.integration.chassis.driving import House, arrived, engaged, leads, take_all

ADA, BOB = leads(0, 2)


class AnswerLost(Journal):
    """Its commits happen, and nobody hears of it."""

    async def commit(self, epoch: int, batch: Batch, acknowledged: int) -> datetime:
        await super().commit(epoch, batch, acknowledged)
        raise Transient("the answer was lost")


class Killed(Publisher):
    """Dies before the first record leaves."""

    async def publish(self, records: Sequence[Record], place: Place | None = None) -> None:
        raise asyncio.CancelledError


async def _outbox(house: House) -> int:
    return int((await house.query("SELECT count(*) FROM outbox"))[0][0])


async def test_stale_owner_writes_nothing(house: House) -> None:
    async with connected(house.engine) as one, connected(house.engine) as other:
        older, newer = Journal(one, 0), Journal(other, 0)
        epoch = (await older.claim()).epoch
        await newer.claim()
        told = Record("lead-scores", b"k", b"v")
        batch = Batch(Progress({"engagements": 7}, out_seq=1), [a_fact(engaged("1", ADA))], [], [told])
        with pytest.raises(Fenced):
            await older.commit(epoch, batch, 0)
        claim = await newer.claim()
    assert claim.progress == Progress()
    assert await house.query("TABLE fact") == []
    assert await _outbox(house) == 0


async def test_commit_whose_answer_was_lost_has_one_effect(house: House) -> None:
    records = arrived([engaged("1", ADA, "tell"), engaged("2", BOB), engaged("3", ADA, "tell")])
    async with house.publisher() as publisher:
        async with house.claimed() as ownership:
            await take_all(ownership, records[:1], publisher)
        async with house.claimed(journal=AnswerLost) as ownership:
            with pytest.raises(Transient, match="answer was lost"):
                await take_all(ownership, records[1:], publisher)
        async with house.claimed() as ownership:
            assert ownership.progress.offsets == {"engagements": 3}  # nothing is left to read
    assert {lead: state.count for lead, state in (await house.states()).items()} == {ADA: 2, BOB: 1}
    assert (await house.totals())["facts"] == 3
    ids = [json.loads(each.value)["id"] for each in await house.written("lead-scores")]
    assert list(dict.fromkeys(ids)) == [f"{ADA}-1", f"{ADA}-2"]  # repeats are told by their id


async def test_new_owner_publishes_in_order_what_the_old_one_could_not(house: House) -> None:
    async with house.claimed() as ownership:
        with pytest.raises(asyncio.CancelledError):
            await take_all(
                ownership, arrived([engaged(str(n), ADA, "tell") for n in range(5)] + [b"{"]), Killed(house.kafka)
            )
    assert await house.written("lead-scores") == []
    assert await _outbox(house) == 6
    async with house.claimed():
        counted = [each.value for each in await house.written("lead-scores")]
    assert [f'"count":{n}'.encode() in value for n, value in enumerate(counted, 1)] == [True] * 5
    [letter] = await house.written("engagements-dlq")
    assert (letter.value, dict(letter.headers)["x-dlq-reason"]) == (b"{", b"not_json")


async def test_acknowledged_rows_go_with_the_next_commit_or_an_idle_tick(house: House) -> None:
    async with house.claimed() as ownership, house.publisher() as publisher:
        await take_all(ownership, arrived([engaged("1", ADA, "tell")]), publisher)
        assert await _outbox(house) == 1
        await take_all(ownership, arrived([engaged("2", ADA)], 1), publisher)
        assert await _outbox(house) == 0
        await take_all(ownership, arrived([engaged("3", ADA, "tell")], 2), publisher)
        await ownership.tick(publisher, idle=False)
        assert await _outbox(house) == 1
        await ownership.tick(publisher, idle=True)
        assert await _outbox(house) == 0


async def test_leftover_is_the_record_that_was_written(house: House) -> None:
    written = [
        Record("lead-scores", b"k", b"v"),
        Record("engagements-dlq", None, None, [("raw", b"\xff\x00"), ("empty", None)], 3),
    ]
    async with connected(house.engine) as connection:
        journal = Journal(connection, 0)
        epoch = (await journal.claim()).epoch
        await journal.commit(epoch, Batch(Progress(out_seq=2), outbox=written), 0)
        left = await journal.leftovers(0)
    assert [(seq, record.topic, record.key, record.value, list(record.headers)) for seq, record in left] == [
        (seq, record.topic, record.key, record.value, list(record.headers)) for seq, record in enumerate(written, 1)
    ]
    assert [record.partition for _, record in left] == [None, 3]


async def test_rows_that_nobody_saw_acknowledged_stay(house: House) -> None:
    async with house.claimed() as ownership:
        for first in range(2):
            with pytest.raises(asyncio.CancelledError):
                await take_all(ownership, arrived([engaged(str(first), ADA, "tell")], first), Killed(house.kafka))
    assert await _outbox(house) == 2


async def test_fact_that_the_cache_missed_undoes_the_whole_batch(house: House) -> None:
    async with house.claimed() as ownership, house.publisher() as publisher:
        await take_all(ownership, arrived([engaged("1", ADA)]), publisher)
        ownership._files.of(ADA).keys.clear()  # the cache still believes that it has every fact
        again = arrived([engaged("1", ADA), engaged("2", BOB)], 1)
        with pytest.raises(FactKnown):
            await take_all(ownership, again, publisher)
    assert {lead: state.count for lead, state in (await house.states()).items()} == {ADA: 1}


async def test_partitions_lose_no_increment_of_a_row_they_share(house: House) -> None:
    service = Counting(shared=("counter",))

    async def share(part: int) -> None:
        [lead] = leads(part, 1)
        async with house.claimed(service, part) as ownership, house.publisher() as publisher:
            for batch in range(20):
                events = [engaged(f"{batch}.{n}", lead, "share") for n in range(10)]
                await take_all(ownership, arrived(events, batch * 10, part), publisher)

    await asyncio.gather(share(0), share(1))
    [row] = await house.query("SELECT value::text::int, version FROM shared")
    assert (row[0], row[1]) == (400, 40)


async def test_a_backlog_gets_its_turn_at_a_shared_row_that_a_quick_partition_keeps_changing(house: House) -> None:
    service, worked_off = Counting(shared=("counter",)), asyncio.Event()

    async def backlog() -> int:
        [lead] = leads(0, 1)
        async with house.claimed(service, 0) as ownership, house.publisher() as publisher:
            events = [engaged(str(n), lead, "share") for n in range(3_000)]
            await take_all(ownership, arrived(events), publisher)
        worked_off.set()
        return len(events)

    async def quick() -> int:
        [lead] = leads(1, 1)
        count = 0
        async with house.claimed(service, 1) as ownership, house.publisher() as publisher:
            while not worked_off.is_set():
                await take_all(ownership, arrived([engaged(str(count), lead, "share")], count, 1), publisher)
                count += 1
        return count

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        counts = [tasks.create_task(one()) for one in (backlog, quick)]
    [row] = await house.query("SELECT value::text::int FROM shared")
    assert row[0] == sum(count.result() for count in counts)


async def test_shared_row_that_two_partitions_read_first_at_once_is_there_for_both(house: House) -> None:
    async with connected(house.engine) as one, connected(house.engine) as other:
        for n in range(30):
            both = await asyncio.gather(*(Journal(each, 0).shared([f"s{n}"]) for each in (one, other)))
            assert both == [{f"s{n}": (0, None)}] * 2
