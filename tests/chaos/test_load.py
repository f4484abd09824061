"""The load and the verdict on a real relay: no violation on a healthy one, and each deliberate change is found."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from tests.chaos.evidence import Evidence, gather
from tests.chaos.load import Load
from tests.chaos.quiet import quiet
from tests.chaos.raw import derived
from tests.chaos.spoilt import KEPT, SPOILT
from tests.chaos.verdict import judge, verdict
from tests.e2e.conftest import QUICK
from tests.infrastructure import Infrastructure, room
from tests.relay import Relay, relay

pytestmark = pytest.mark.timeout(400)

SECONDS = 16
ATTENDED = "state->'tally'->'basis'->'kept'->'webinar_attended' IS NOT NULL"


@dataclass
class Ran:
    """A relay after its load, and what was found there while it was whole."""

    relay: Relay
    load: Load
    evidence: Evidence


@pytest.fixture(scope="module")
async def ran(servers: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ran]:
    """16 s of load, in the middle of which the scorer is killed."""
    folder: Path = tmp_path_factory.mktemp("chaos")
    async with room(servers) as where, relay(where, folder, QUICK) as running:
        load = Load(where, running.http_port, seed=1)
        stop = asyncio.Event()
        sending = asyncio.create_task(load.run(stop))
        try:
            await asyncio.sleep(SECONDS / 2)
            await running.kill("scorer")
            await running.start("scorer")
            await asyncio.sleep(SECONDS / 2)
            stop.set()
            await sending
            await load.finish()
        finally:
            await load.close()
        await quiet(where, 120)
        yield Ran(running, load, await gather(where, QUICK / "1.yaml"))


async def test_a_relay_whose_scorer_was_killed_has_nothing_wrong_with_it(ran: Ran) -> None:
    findings = judge(ran.evidence, ran.load.book)
    assert findings.violations == []
    counts, figures = ran.load.counts, findings.figures
    made = ("events", "late", "duplicates", "poison", "client_retries", "kafka_acknowledged", "2xx")
    sales = ("in-time", "told-late", "too-late", "auto-reply", "qualified")
    assert all(counts[name] > 0 for name in (*made, *(f"sales {name}" for name in sales)))
    assert counts["events"] > 100 * SECONDS
    assert figures["facts"] - figures["links"] == counts["events"] - counts["links"]
    assert figures["rejected items"] + sum(map(len, ran.load.book.poison.values())) == counts["poison"]
    assert all(figures[name] > 0 for name in ("handoffs", "clocks met", "breaches", "retractions", "copies", "merged"))
    assert figures["aliases"] > 0.3 * figures["leads"]
    assert 0 < figures["breach lateness p99"] <= figures["breach lateness max"]


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__.strip("_"))
async def test_what_is_spoilt_is_found(ran: Ran, spoil: Callable[[Evidence], None]) -> None:
    evidence = deepcopy(ran.evidence)
    spoil(evidence)
    found = [violation.text for violation in judge(evidence, ran.load.book).violations]
    assert any(text.startswith(SPOILT[spoil]) for text in found), found


async def test_tampering_with_the_real_tables_and_topics_is_found(ran: Ran) -> None:
    """With the services stopped, so that none of them mends or adds anything."""
    for service in ("scorer", "router", "sla-monitor"):
        await ran.relay.kill(service)
    lead, stored = (await ran.relay.query("scorer", f"SELECT lead_id, state::text FROM lead WHERE {ATTENDED}"))[0]
    state = json.loads(stored)
    del state["tally"]["basis"]["kept"]["webinar_attended"]
    await ran.relay.query("scorer", "UPDATE lead SET state = $2 WHERE lead_id = $1", lead, json.dumps(state))
    await ran.relay.query("scorer", "DELETE FROM fact WHERE ctid = (SELECT min(ctid) FROM fact)")
    [handoff, *_] = await ran.relay.events("lead-handoffs", "handed_off")
    second = handoff | {"id": "another", "data": handoff["data"] | {"handoff_id": "another"}}
    met = next(e for e in await ran.relay.events("sla-clocks", "clock.met") if e["data"]["clock"] == "CK-S2")
    breach = {
        "breach_id": derived("breach", met["data"]["clock_id"]),
        "version": met["data"]["version"] + 1,
        "detected_at": met["data"]["due"],
    }
    false_breach = met | {"id": "a-breach", "type": "baton.sla.breached.v1", "data": met["data"] | breach}
    late = datetime.fromisoformat(met["data"]["due"]) + timedelta(minutes=1)
    async with AIOKafkaProducer(bootstrap_servers=ran.relay.room.bootstrap_servers) as producer:
        for topic, event in (("lead-handoffs", second), ("sla-breaches", false_breach)):
            name, key = ran.relay.room.prefix + topic, event["subject"].encode()
            stamp = int(late.timestamp() * 1000)
            await producer.send_and_wait(name, json.dumps(event).encode(), key=key, timestamp_ms=stamp)
        await producer.send_and_wait(ran.relay.room.prefix + "engagements", b"not set aside", key=b"poison")
    findings = await verdict(ran.relay.room, QUICK / "1.yaml", ran.load.book)
    assert {violation.text for violation in findings.violations} == {
        "a stored lead is not what its facts are worth",
        "the facts kept of a lead are not those on the topic",
        "leads were handed off twice",
        "a handoff's id does not follow from lead and episode",
        KEPT,
        "a breach was published though its excuse was on the topic before its due",
        "dead letters are missing: not_json",
    }
