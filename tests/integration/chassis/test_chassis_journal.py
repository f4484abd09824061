"""The commit: all or nothing, by the owner only, and nothing lost between commit and publication."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime

import pytest

from chassis.kafka.publisher import Place, Publisher, Record
from chassis.partition.journal import Batch, Journal
from chassis.process.failures import Transient
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


async def test_commit_whose_answer_was_lost_has_one_effect(house: House) -> None:
    records = arrived([engaged("1", ADA, "tell"), engaged("2", BOB), engaged("3", ADA, "tell")])
    async with house.claimed() as ownership:
        await take_all(ownership, records[:1])
    async with house.claimed(journal=AnswerLost) as ownership:
        with pytest.raises(Transient, match="answer was lost"):
            await take_all(ownership, records[1:])
    async with house.claimed() as ownership:
        assert ownership.committer.progress.offsets == {"engagements": 3}  # nothing is left to read
    assert {lead: state.count for lead, state in (await house.states()).items()} == {ADA: 2, BOB: 1}
    assert (await house.totals())["facts"] == 3
    ids = [json.loads(each.value)["id"] for each in await house.written("lead-scores")]
    assert list(dict.fromkeys(ids)) == [f"{ADA}-1", f"{ADA}-2"]  # repeats are told by their id


async def test_new_owner_publishes_in_order_what_the_old_one_could_not(house: House) -> None:
    async with house.claimed(publisher=Killed) as ownership:
        with pytest.raises(asyncio.CancelledError):
            await take_all(ownership, arrived([engaged(str(n), ADA, "tell") for n in range(5)] + [b"{"]))
    assert await house.written("lead-scores") == []
    assert await _outbox(house) == 6
    async with house.claimed():
        counted = [each.value for each in await house.written("lead-scores")]
    assert [f'"count":{n}'.encode() in value for n, value in enumerate(counted, 1)] == [True] * 5
    [letter] = await house.written("engagements-dlq")
    assert (letter.value, dict(letter.headers)["x-dlq-reason"]) == (b"{", b"not_json")


async def test_acknowledged_rows_go_with_the_next_commit_or_an_idle_tick(house: House) -> None:
    async with house.claimed() as ownership:
        await take_all(ownership, arrived([engaged("1", ADA, "tell")]))
        assert await _outbox(house) == 1
        await take_all(ownership, arrived([engaged("2", ADA)], 1))
        assert await _outbox(house) == 0
        await take_all(ownership, arrived([engaged("3", ADA, "tell")], 2))
        await ownership.tick(idle=False)
        assert await _outbox(house) == 1
        await ownership.tick(idle=True)
        assert await _outbox(house) == 0


async def test_rows_that_nobody_saw_acknowledged_stay(house: House) -> None:
    async with house.claimed(publisher=Killed) as ownership:
        for first in range(2):
            with pytest.raises(asyncio.CancelledError):
                await take_all(ownership, arrived([engaged(str(first), ADA, "tell")], first))
    assert await _outbox(house) == 2


async def test_a_backlog_gets_its_turn_at_a_shared_row_that_a_quick_partition_keeps_changing(house: House) -> None:
    service, worked_off = Counting(shared=("counter",)), asyncio.Event()

    async def backlog() -> int:
        [lead] = leads(0, 1)
        async with house.claimed(service, 0) as ownership:
            events = [engaged(str(n), lead, "share") for n in range(3_000)]
            await take_all(ownership, arrived(events))
        worked_off.set()
        return len(events)

    async def quick() -> int:
        [lead] = leads(1, 1)
        count = 0
        async with house.claimed(service, 1) as ownership:
            while not worked_off.is_set():
                await take_all(ownership, arrived([engaged(str(count), lead, "share")], count, 1))
                count += 1
        return count

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        counts = [tasks.create_task(one()) for one in (backlog, quick)]
    [row] = await house.query("SELECT value::text::int FROM shared")
    assert row[0] == sum(count.result() for count in counts)
