"""The rows of the table, each with the case that shows its visible effect.

Not here: the broker and the database killed, which need servers of their own; `make chaos` kills both.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.builders import a_description, an_engagement
from tests.chaos.points.ground import Ground, Somebody
from tests.integration.chassis import foreign
from tests.integration.chassis.foreign import Raw

Case = Callable[[Ground], Awaitable[None]]


@dataclass(frozen=True)
class Row:
    """A row of the table: where it crashes, in the table's words, and its case; `alone` on a relay of its own."""

    at: str
    case: Case
    alone: bool = False


ROWS: list[Row] = []


def row(at: str, *, alone: bool = False) -> Callable[[Case], Case]:
    """Makes the function the case of a row."""

    def made(case: Case) -> Case:
        ROWS.append(Row(at, case, alone))
        return case

    return made


def ingest_dies(point: str, before: Collection[int], after: Collection[int]) -> Case:
    """How many records of three events are on the topic when ingest has died, and after its client's retry."""

    async def case(ground: Ground) -> None:
        ada = Somebody()
        async with ground.struck("ingest", f"{point}=kill"):
            again = await ground.send_to_the_dying(ada)
        assert len(await ground.told("engagements", ada)) in before
        await ground.restart("ingest")
        await again()
        await ground.effect(ada)
        assert len(await ground.told("engagements", ada)) in after

    return case


row("ingest before send")(ingest_dies("sending", (0,), (3,)))
row("ingest after send, before the ack")(ingest_dies("sent", range(4), range(3, 7)))
row("ingest after the ack, before the answer")(ingest_dies("acknowledged", (3,), (6,)))


def worker_dies(service: str, point: str) -> Case:
    """Before anything is committed."""

    async def case(ground: Ground) -> None:
        ada = Somebody()
        async with ground.struck(service, f"{point}=kill"):
            await ground.send(ada)
        assert await ground.facts(service, ada) == 0
        await ground.restart(service)
        assert (await ground.effect(ada)).total() == 0

    return case


row("worker after fetch")(worker_dies("scorer", "fetched"))
row("worker while deciding")(worker_dies("router", "decided"))


@row("commit sent, answer lost")
async def _(ground: Ground) -> None:
    ada = Somebody()
    async with ground.struck("scorer", "committed=fail"):
        await ground.send(ada)
    assert (await ground.effect(ada)).total() == 0
    assert len(ground.said("scorer", "retry")) == 1


def from_platform(who: Somebody, *more: bytes) -> bytes:
    """Their three events as a platform writes them, in one batch and without a link to another name."""
    now = datetime.now().astimezone()
    events = [
        a_description(id="1", subject=who.lead, identifiers={"email": who.email}, company_size=50, time=now),
        an_engagement("webinar_attended", id="2", subject=who.lead, time=now),
        an_engagement("content_downloaded", "pricing", id="3", subject=who.lead, time=now),
    ]
    values = [*(event.encode() for event in events), *more]
    return foreign.batch([Raw(who.lead.encode(), value, time=foreign.now()) for value in values])


@row("after the commit, before publish")
async def _(ground: Ground) -> None:
    ada = Somebody()
    async with ground.struck("scorer", "committed=kill"):
        await ground.broker.write("engagements", ada.part, from_platform(ada))
    assert await ground.facts("scorer", ada) > 0
    assert await ground.owed("scorer", ada) != []
    assert await ground.told("lead-scores", ada) == []
    await ground.restart("scorer")
    assert (await ground.effect(ada)).total() == 0


@row("publish half acknowledged")
async def _(ground: Ground) -> None:
    ada = Somebody()
    junk = f"no json {ada.email}".encode()
    async with ground.struck("scorer", "partly_acknowledged=kill"):
        await ground.broker.write("engagements", ada.part, from_platform(ada, junk))
    assert await ground.owed("scorer", ada) != []
    landed = [bool(await ground.told("lead-scores", ada)), bool(await ground.letters(junk))]
    assert any(landed)
    await ground.restart("scorer")
    repeats = await ground.effect(ada)
    assert [repeats["lead-scores"] > 0, await ground.letters(junk) > 1] == landed


@row("after the ack, before the rows are deleted")
async def _(ground: Ground) -> None:
    ada = Somebody()
    async with ground.struck("scorer", "acknowledged=kill"):
        await ground.send(ada)
    assert await ground.told("lead-scores", ada) != []
    assert await ground.owed("scorer", ada) != []
    await ground.restart("scorer")
    assert (await ground.effect(ada))["lead-scores"] >= 1


@row("after the commit, before Kafka's offset commit")
async def _(ground: Ground) -> None:
    sent: list[Somebody] = []
    async with ground.struck("scorer", "reporting=kill@2") as process:
        while process.returncode is None:
            sent.append(Somebody())
            await ground.send(sent[-1])
            await asyncio.sleep(0.2)
    assert await ground.broker.told("scorer") < await ground.offsets("scorer")
    await ground.restart("scorer")
    for each in sent:
        await ground.effect(each)


@row("claim done, drain half-way")
async def _(ground: Ground) -> None:
    ada = Somebody()
    async with ground.struck("scorer", "committed=kill"):
        await ground.broker.write("engagements", ada.part, from_platform(ada))
    before = await ground.epoch("scorer", ada)
    for point in ("claimed=kill", "draining=kill"):
        await ground.broker.evict("scorer", await ground.broker.members("scorer"))
        await ground.strike("scorer", point, await ground.launch_armed("scorer", point))
        assert await ground.owed("scorer", ada) != []
    assert before < await ground.epoch("scorer", ada)
    assert await ground.told("lead-scores", ada) != []
    await ground.restart("scorer")
    assert (await ground.effect(ada))["lead-scores"] >= 1


@row("poison record")
async def _(ground: Ground) -> None:
    ada = Somebody()
    text = f"no json {ada.email}".encode()
    poison = Raw(ada.lead.encode(), text, [(b"\xff", None)], time=foreign.now())
    async with ground.struck("scorer", "committed=kill"):
        await ground.broker.write("engagements", ada.part, foreign.batch([poison]))
    assert await ground.letters(text) == 0
    await ground.restart("scorer")
    await ground.send(ada)
    await ground.effect(ada)
    assert await ground.letters(text) == 1


@row("router between qualified and assigned")
async def _(ground: Ground) -> None:
    ada = Somebody()
    async with ground.struck("router", "sending=kill"):
        await ground.send(ada)
    kinds = set(await ground.owed("router", ada))
    assert kinds >= {"baton.lead.qualified.v1", "baton.lead.handed_off.v1"}, "one commit makes both: no tick is needed"
    await ground.restart("router")
    assert (await ground.effect(ada)).total() == 0


@row("follow-up committed between due and tick")
async def _(ground: Ground) -> None:
    ada = Somebody()
    due = await ground.asks(ada)
    await ground.hears("sla-clocks", ada, "clock.started")
    await ground.relay.kill("sla-monitor")
    await asyncio.sleep((due - datetime.now().astimezone()).total_seconds() + 1)
    await ground.call(ada, due - timedelta(seconds=2))
    await ground.restart("sla-monitor")
    await ground.hears("sla-clocks", ada, "clock.met")
    assert await ground.told("sla-breaches", ada) == []


@row("follow-up after breach, happened in time")
async def _(ground: Ground) -> None:
    ada = Somebody()
    due = await ground.asks(ada)
    await ground.hears("sla-breaches", ada, "breached")
    async with ground.struck("sla-monitor", "sending=kill"):
        await ground.call(ada, due - timedelta(seconds=2))
    assert "baton.sla.breach_retracted.v1" in await ground.owed("sla-monitor", ada)
    await ground.restart("sla-monitor")
    await ground.hears("sla-breaches", ada, "breach_retracted")
    breached, retracted = await ground.breaches(ada)
    assert (breached["type"], retracted["type"]) == ("baton.sla.breached.v1", "baton.sla.breach_retracted.v1")
    assert breached["data"]["breach_id"] == retracted["data"]["breach_id"]
    assert breached["data"]["version"] < retracted["data"]["version"]
