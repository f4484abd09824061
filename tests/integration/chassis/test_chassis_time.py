"""Slow rules and slow statements on real servers: no membership and no claim is lost, the commits become smaller."""

import asyncio
import time
from dataclasses import dataclass

from chassis.service import At, Decision, Keep
from schemas.envelope import Fact
from tests.integration.chassis.counting import Counting, Recalling, Tally
from tests.integration.chassis.driving import House, engaged, leads, record, untroubled, works
from tests.until import until

RECORDS = 500


@dataclass
class Slow(Counting):
    """Each decision holds the event loop for 25 ms: all records together longer than the group waits for a member."""

    def decide(self, state: Tally, fact: Fact, at: At) -> Decision[Tally]:
        time.sleep(0.025)
        return super().decide(state, fact, at)


@dataclass
class SlowRecall(Recalling):
    """One recall computes longer than the group waits for a member."""

    def recall(self, *args: object) -> Keep[Tally]:
        until_ = time.monotonic() + 13
        while time.monotonic() < until_:
            sum(range(1000))
        return super().recall(*args)  # type: ignore[arg-type]


async def epochs(house: House) -> list[int]:
    return [row[0] for row in await house.query("SELECT epoch FROM partition ORDER BY part")]


async def test_backlog_longer_than_a_session_is_committed_piece_by_piece_by_one_owner(house: House) -> None:
    everyone, seen = leads(0, 10), set[int]()
    async with house.running(Slow()) as supervisor:
        await until(lambda: works(supervisor, 4), "work")
        await house.publish(*(record(engaged(str(n), everyone[n % 10])) for n in range(RECORDS)))

        async def done() -> bool:
            seen.add((await house.totals())["records"])
            return max(seen) == RECORDS

        await until(done, "every record", 90)
        await asyncio.sleep(3)  # whoever was evicted meanwhile has heard of it
        await untroubled(supervisor)
    assert len(seen) > 5, "progress is committed on the way"
    assert await epochs(house) == [1] * 4
    assert {state.count for state in (await house.states()).values()} == {RECORDS // 10}


async def test_recall_longer_than_a_session_costs_no_membership(house: House) -> None:
    [ada] = leads(0, 1)
    async with house.running(SlowRecall()) as supervisor:
        await house.publish(*(record(engaged(str(n), ada)) for n in range(150)))
        await until(lambda: house.counted("facts", 150), "the facts")
        await house.publish(record(engaged("late", ada, "late")))
        await until(lambda: house.counted("again", 1), "the recall", 60)
        await asyncio.sleep(3)
        await untroubled(supervisor)
    assert await epochs(house) == [1] * 4


async def test_commit_that_the_database_cancels_is_tried_smaller_by_the_same_owner(house: House) -> None:
    await house.query("""
        CREATE FUNCTION scorer.cancel() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF (SELECT count(*) FROM new) > 10 THEN RAISE EXCEPTION 'slow disk' USING ERRCODE = '57014'; END IF;
            RETURN NULL;
        END $$
    """)
    await house.query("""
        CREATE TRIGGER slow AFTER INSERT ON scorer.fact REFERENCING NEW TABLE AS new
        FOR EACH STATEMENT EXECUTE FUNCTION scorer.cancel()
    """)
    await house.publish(*(record(engaged(str(n), lead)) for n, lead in enumerate(leads(0, 200))))
    async with house.running() as supervisor:
        await until(lambda: house.counted("facts", 200), "every fact")
        await untroubled(supervisor)
    assert await epochs(house) == [1] * 4
