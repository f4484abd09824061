"""Rows with two owners of a partition, or a changed log or database."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

import httpx

from tests.chaos.faults import NO_MEMBER
from tests.chaos.points.ground import Ground, Somebody
from tests.chaos.points.rows import row
from tests.infrastructure import connected
from tests.relay import JUDGES
from tests.until import until

ZOMBIE_SECONDS = 40
SESSION_SECONDS = 10
"""After it a member that says nothing is taken for dead."""


async def two_holders(ground: Ground, failpoint: str, *, patient: bool, wake_after: float = 0) -> None:
    """One instance stops in the middle of a batch, another takes over, and then the first comes back to life.

    Impatient, the group is told that the first has left, instead of its session timing out.
    """
    everybody = [Somebody.of(part) for part in range(4)]
    async with ground.struck("scorer", failpoint) as process:
        members = await ground.broker.members("scorer")
        await ground.send(*everybody)
    began = time.monotonic()
    await ground.relay.launch("scorer/2")
    try:
        if not patient:
            await until(lambda: joined(ground, members), "the other instance to join")
            await ground.broker.evict("scorer", members)
        for each in everybody:
            await until(partial(ground.facts, "scorer", each), "the other to take over", SESSION_SECONDS + 10)
        assert not ground.said("scorer", "fenced"), "the first has come back too early"
        await asyncio.sleep(max(0, began + wake_after - time.monotonic()))
        process.send_signal(signal.SIGCONT)

        await until(lambda: noticed(ground, "scorer"), "the first to be fenced")
        for each in everybody:
            await ground.effect(each)
        await until(lambda: ground.relay.ready("scorer"), "the first to work again")
    finally:
        await ground.relay.discard("scorer/2", signal.SIGTERM)


async def noticed(ground: Ground, service: str) -> bool:
    """The database refused the frozen one's writes, or Kafka its membership: whichever it asks first."""
    return bool(ground.said(service, "fenced")) or any(words in ground.log(service) for words in NO_MEMBER)


async def joined(ground: Ground, members: list[str], service: str = "scorer") -> bool:
    """Whether somebody else is in the service's group."""
    return bool(set(await ground.broker.members(service)) - set(members))


for at, failpoint, patient, wake_after in (
    ("frozen at any point, then resumed", "decided=freeze", False, 0),
    ("frozen 40 s at any point, then resumed", "decided=freeze", True, ZOMBIE_SECONDS),
    ("rebalance during a batch", "decided=stall:12", False, 0),
    ("rebalance during a batch, noticed by time-out", "decided=stall:25", True, 0),
):
    row(at)(partial(two_holders, failpoint=failpoint, patient=patient, wake_after=wake_after))


@row("frozen over a deadline, then resumed")
async def _(ground: Ground) -> None:
    """What it was about to write, a clock that is warned of, is older than what another has written meanwhile."""
    ada, stored = Somebody(), "SELECT version FROM lead WHERE lead_id = $1"
    async with ground.struck("sla-monitor", "ticked=freeze") as process:
        members = await ground.broker.members("sla-monitor")
        due = await ground.asks(ada)
    await ground.relay.launch("sla-monitor/2")
    try:
        await until(lambda: joined(ground, members, "sla-monitor"), "the other instance to join")
        await ground.broker.evict("sla-monitor", members)
        await ground.hears("sla-breaches", ada, "breached")
        await ground.call(ada, due - timedelta(seconds=2))
        await ground.hears("sla-breaches", ada, "breach_retracted")
        await until(lambda: ground.published("sla-monitor", ada.part), "the outbox to empty")
        before = await ground.relay.query("sla-monitor", stored, ada.lead)
        process.send_signal(signal.SIGCONT)
        await until(lambda: noticed(ground, "sla-monitor"), "the first to be fenced")
        assert await ground.relay.query("sla-monitor", stored, ada.lead) == before
        assert len(await ground.breaches(ada)) == 2
    finally:
        await ground.relay.discard("sla-monitor/2", signal.SIGTERM)


@row("topic recreated or truncated", alone=True)
async def _(ground: Ground) -> None:
    ada, bob, other = Somebody.of(0), Somebody.of(0), Somebody.of(1)
    await ground.send(ada, other)
    await ground.effect(ada)
    await ground.relay.kill("scorer", signal.SIGTERM)
    await ground.send(bob)
    await ground.broker.truncate("engagements", 0, await ground.broker.end("engagements", 0) - 1)
    await ground.relay.launch("scorer")
    await stopped(ground, [0])
    again = Somebody.of(1)
    await ground.send(again)
    await ground.effect(again)
    assert await ground.facts("scorer", bob) == 0, "not even the one that is left: it would be out of turn"

    await ground.relay.kill("scorer", signal.SIGTERM)
    await ground.broker.recreate("engagements")
    await ground.relay.launch("scorer")
    rows = await ground.relay.query("scorer", "SELECT part FROM partition WHERE (offsets->>'engagements')::int > 0")
    assert {0, 1} <= {row["part"] for row in rows}
    await stopped(ground, [row["part"] for row in rows])
    assert await ground.facts("scorer", ada) == 3


async def stopped(ground: Ground, parts: list[int]) -> None:
    """The scorer has stopped these partitions of `engagements`: a metric and readiness say so."""

    async def told() -> bool:
        with contextlib.suppress(httpx.ConnectError):  # it is still starting
            return await ground.relay.metric("scorer", "baton_scorer_partition_stopped") == len(parts)
        return False

    await until(told, "the partitions to stop")
    why = await ground.relay.unready("scorer")
    assert all(f"partition {part}: stopped: engagements/{part} holds" in why for part in parts), why


@row("database restored from backup", alone=True)
async def _(ground: Ground) -> None:
    ada, bob = Somebody(), Somebody()
    live = ground.relay.room.database
    await ground.send(ada)
    await ground.effect(ada)
    async with resting(ground):
        await administer(ground, f"CREATE DATABASE {live}_backup TEMPLATE {live}")
    await ground.send(bob)
    await ground.effect(bob)
    [handoff, *_] = before = await ground.told("lead-handoffs", bob, "handed_off")
    async with resting(ground):
        restore = f"ALTER DATABASE {live}_backup RENAME TO {live}"
        await administer(ground, f"DROP DATABASE {live} WITH (FORCE)", restore)
        assert await ground.facts("scorer", bob) == 0
    await until(lambda: ground.facts("sla-monitor", bob), "the handoff to be known again", 60)

    async def told_again() -> bool:
        return len(await ground.told("lead-handoffs", bob, "handed_off")) > len(before)

    await until(told_again, "the handoff to be told again")
    for service in JUDGES:
        await until(partial(ground.nothing, service, "SELECT 1 FROM outbox"), f"{service}'s outbox to empty")
    assert await ground.facts("scorer", bob) == await ground.facts("scorer", ada) == 3
    for event in await ground.told("lead-handoffs", bob, "handed_off"):
        assert (event["id"], event["data"]["handoff_id"]) == (handoff["id"], handoff["data"]["handoff_id"])
        assert (event["data"]["owner"], event["data"]["score"]) == (handoff["data"]["owner"], 65)
    topics = ("engagements-dlq", "lead-scores-dlq", "lead-handoffs-dlq")
    letters = [letter for topic in topics for letter in await ground.relay.records(topic)]
    assert {dict(letter.headers)["x-dlq-reason"] for letter in letters} <= {b"id_conflict"}


@contextlib.asynccontextmanager
async def resting(ground: Ground) -> AsyncIterator[None]:
    """None of the services that keep a database runs in the block."""
    for service in JUDGES:
        await ground.relay.kill(service, signal.SIGTERM)
    yield
    for service in JUDGES:
        await ground.restart(service)


async def administer(ground: Ground, *statements: str) -> None:
    """Runs the statements beside all databases of services."""
    async with connected(ground.relay.room.admin_url) as admin:
        for statement in statements:
            await admin.execute(statement)
