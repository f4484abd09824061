"""The relay for the crash points, and queries for the state of each lead."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import httpx

from baton_local.topics import PARTITIONS
from chassis.process.failpoints import VARIABLE
from schemas.identity import lead_id_of, partition_of
from tests.chaos.points.broker import Broker
from tests.e2e import people
from tests.processes import state_of
from tests.relay import JUDGES, SERVICES, Relay
from tests.until import until

OUTPUTS = ("lead-scores", "lead-handoffs", "sla-clocks", "sla-breaches")


@dataclass(frozen=True)
class Somebody:
    """A lead who qualifies with three events."""

    email: str = field(default_factory=people.somebody)

    @property
    def lead(self) -> str:
        """Their id."""
        return lead_id_of(email=self.email)

    @property
    def part(self) -> int:
        """The partition of every topic that they are in."""
        return partition_of(self.lead.encode(), PARTITIONS)

    @classmethod
    def of(cls, part: int) -> Somebody:
        """Somebody in the partition."""
        return next(who for who in iter(cls, None) if who.part == part)


class Ground:
    """A relay on which one service at a time is armed with failpoints, struck, and started again without."""

    def __init__(self, relay: Relay, broker: Broker) -> None:
        self.relay = relay
        self.broker = broker
        self.uncalled: list[Somebody] = []
        """Handed off, and nobody calls them."""

    @contextlib.asynccontextmanager
    async def struck(self, service: str, failpoint: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Runs the service with the failpoint armed; the block is to bring it there. It is left as it was struck."""
        await self.idle(service)
        await self.relay.kill(service, signal.SIGTERM)
        process = await self.launch_armed(service, failpoint)
        await until(lambda: self.relay.ready(service), f"{service} to be ready")
        yield process
        await self.strike(service, failpoint, process)

    async def launch_armed(self, instance: str, failpoint: str) -> asyncio.subprocess.Process:
        """Starts the instance with the failpoint armed, and waits for nothing."""
        return await self.relay.launch(instance, **{VARIABLE: failpoint})

    async def strike(self, service: str, failpoint: str, process: asyncio.subprocess.Process) -> None:
        """Waits until the failpoint has really struck: the process died by signal 9, is stopped, or has said so."""
        point, _, action = failpoint.partition("@")[0].partition("=")

        async def happened() -> bool:
            if action == "kill" and process.returncode != -signal.SIGKILL:
                return False
            if action == "freeze" and state_of(process.pid) != "T":
                return False
            return any(line["point"] == point for line in self.said(service, "failpoint"))

        await until(happened, f"{service} to be struck at {failpoint}")

    def log(self, instance: str) -> str:
        """The instance's log from its last start on."""
        return self.relay.named(instance).log.read_text().rpartition('"event": "started"')[2]

    def said(self, instance: str, event: str) -> list[dict[str, Any]]:
        """The lines of its log, from its last start on, that tell of the event."""
        lines = [json.loads(line) for line in self.log(instance).splitlines() if line[:1] == "{"]
        return [line for line in lines if line["event"] == event]

    async def restart(self, service: str) -> None:
        """Starts the service in place of one that died, whose session in the group nobody shall wait for (10 s)."""
        if service in JUDGES:
            await self.broker.evict(service, await self.broker.members(service))
        await self.relay.start(service)

    async def mend(self) -> None:
        """Brings back what a failed case has left dead."""
        for service in SERVICES:
            if not await self.relay.ready(service):
                await self.relay.discard(service)
                await self.restart(service)

    async def idle(self, service: str) -> None:
        """Nothing of earlier cases will bring the service to a point: no outbox row, no clock that runs out soon."""
        soon = "SELECT 1 FROM outbox UNION ALL SELECT 1 FROM lead WHERE due_at < clock_timestamp() + interval '15 s'"
        if service in JUDGES:
            await until(lambda: self.nothing(service, soon), f"{service} to be idle", 40)

    async def nothing(self, service: str, query: str, *arguments: Any) -> bool:
        """Whether the query finds no row."""
        return not await self.relay.query(service, query, *arguments)

    async def published(self, service: str, part: int) -> bool:
        """Whether the partition's outbox is empty."""
        return await self.nothing(service, "SELECT 1 FROM outbox WHERE part = $1", part)

    async def send(self, *everybody: Somebody) -> None:
        """Their three events each, over HTTP, answered with success."""
        items = [item for who in everybody for item in people.qualified(who.email)]
        answer = await self.relay.batch(items)
        assert answer.status_code == 200, answer.text

    async def send_to_the_dying(self, who: Somebody) -> Callable[[], Any]:
        """Sends their events to an ingest that dies over them; what is returned sends the same ones again."""
        items = people.qualified(who.email)
        with contextlib.suppress(httpx.TransportError):
            raise AssertionError(f"answered with {(await self.relay.batch(items)).status_code}")

        async def again() -> None:
            answer = await self.relay.batch(items)
            assert answer.status_code == 200, answer.text

        return again

    async def facts(self, service: str, who: Somebody) -> int:
        """How many facts the service keeps about them, links to other names not counted."""
        query = "SELECT count(*) FROM fact WHERE lead_id = $1 AND type NOT LIKE '%linked%'"
        return int((await self.relay.query(service, query, who.lead))[0][0])

    async def owed(self, service: str, who: Somebody) -> list[str]:
        """Types of what is committed about them and not known to be published, in order."""
        rows = await self.relay.query(service, "SELECT topic, value FROM outbox ORDER BY part, seq")
        events = [json.loads(row["value"]) for row in rows if not row["topic"].endswith("-dlq")]
        return [event["type"] for event in events if event["subject"] == who.lead]

    async def told(self, topic: str, who: Somebody, kind: str = "") -> list[dict[str, Any]]:
        """The events about them on the topic, repeats included."""
        return await self.relay.events(topic, kind, who.lead)

    async def hears(self, topic: str, who: Somebody, kind: str) -> list[dict[str, Any]]:
        """The events about them on the topic, once there are any."""
        found = await until(lambda: self.told(topic, who, kind), f"{kind} on {topic}", 40)
        return list(found)

    async def letters(self, value: bytes) -> int:
        """How many dead letters of the scorer have that value, repeats included."""
        return sum(letter.value == value for letter in await self.relay.records("engagements-dlq"))

    async def epoch(self, service: str, who: Somebody) -> int:
        """How often their partition has been claimed."""
        return int((await self.relay.query(service, "SELECT epoch FROM partition WHERE part = $1", who.part))[0][0])

    async def offsets(self, service: str) -> int:
        """The sum of the service's offsets, as the database has them."""
        rows = await self.relay.query(service, "SELECT offsets::text FROM partition")
        return sum(sum(json.loads(row[0]).values()) for row in rows)

    async def asks(self, who: Somebody) -> datetime:
        """They ask for sales, and are handed off; returns when they must have been called, in six seconds."""
        items = [people.identified(who.email), people.tracked(who.email, "Demo Requested")]
        assert (await self.relay.batch(items)).status_code == 200
        started = await self.hears("sla-clocks", who, "clock.started")
        [due] = {event["data"]["due"] for event in started if event["data"]["clock"] == "CK-S1"}
        return datetime.fromisoformat(due)

    async def call(self, who: Somebody, at: datetime) -> None:
        """Their owner called them then, as a CRM tells us now."""
        call = {"type": "sales.contacted", "subject": who.email, "time": at.isoformat(), "data": {"channel": "call"}}
        answer = await self.relay.sales(call)
        assert answer.status_code == 200, answer.text

    async def effect(self, who: Somebody) -> Counter[str]:
        """Waits for the one effect of their events, and returns how many records each output topic repeats.

        Each of three facts once, 65 points, one handoff, clocks that run. One id has one content.
        """
        self.uncalled.append(who)
        await until(lambda: self.facts("sla-monitor", who), "the handoff to be known", 60)
        for service in JUDGES:
            await until(partial(self.published, service, who.part), f"the outbox of {service} to empty")
        assert await self.facts("scorer", who) == 3
        repeats: Counter[str] = Counter()
        for topic in OUTPUTS:
            events = await self.told(topic, who)
            once = {event["id"]: event for event in events}
            for event in events:
                first = once[event["id"]]
                assert event["data"].get("version") == first["data"].get("version")
                assert event == first, f"{topic}: one id, several contents"
            repeats[topic] = len(events) - len(once)
        last = max(await self.told("lead-scores", who), key=lambda event: int(event["data"]["version"]))
        assert last["data"]["score"] == 65
        handoffs = await self.told("lead-handoffs", who, "handed_off")
        assert len({event["data"]["handoff_id"] for event in handoffs}) == len({e["id"] for e in handoffs}) == 1
        assert await self.told("sla-clocks", who, "clock.started")
        return repeats

    async def breaches(self, who: Somebody) -> list[dict[str, Any]]:
        """The events about their breaches, repeats left out, by version."""
        once = {event["id"]: event for event in await self.told("sla-breaches", who)}
        return sorted(once.values(), key=lambda event: int(event["data"]["version"]))

    async def uncalled_breach_once(self) -> None:
        """The follow-up clock of everybody whom nobody called breaches, once."""
        for who in self.uncalled:
            await self.hears("sla-breaches", who, "breached")
            [breach] = await self.breaches(who)
            assert (breach["type"], breach["data"]["clock"]) == ("baton.sla.breached.v1", "CK-S2")
