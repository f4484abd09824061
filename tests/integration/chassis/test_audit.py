"""The auditor on real services: nothing is broken in what they did, and one thing changed by hand is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from chassis.audit import Report, audit
from schemas.identity import lead_id_of, partition_of
from tests.e2e import people
from tests.e2e.conftest import QUICK
from tests.infrastructure import Infrastructure, room
from tests.relay import Relay, relay

LEADS = 12


async def audited(running: Relay, **more: Any) -> Report:
    return await audit(running.room.bootstrap_servers, running.room.prefix, running.room.url, **more)


async def send_all(running: Relay) -> None:
    """Leads who qualify, a crowd, duplicates, an id with other content, poison."""
    items = people.crowd(300, LEADS, seed=7)
    for email in (f"person-7-{number}@example.com" for number in range(LEADS)):
        items += people.qualified(email)
    conflicting = {**items[0], "properties": {"content": "other"}, "traits": {"name": "Other"}, "name": "Other"}
    for batch in (items, people.shuffled(items, 1)[:80], [conflicting]):
        answer = await running.batch(batch)
        assert answer.status_code == 200, answer.text


async def poison(running: Relay) -> None:
    part = partition_of(lead_id_of(email="person-7-0@example.com").encode(), 4)
    async with AIOKafkaProducer(bootstrap_servers=running.room.bootstrap_servers) as producer:
        for topic in ("engagements", "sales-activities"):
            for value in (b"{", b'{"specversion": "1.0"}', None):
                await producer.send_and_wait(running.room.prefix + topic, value, key=b"k", partition=part)


async def settled(running: Relay) -> bool:
    """Every lead has been handed off, and no clock of the quick policy's first promises runs any more."""
    handoffs = await running.events("lead-handoffs", "handed_off")
    breaches = await running.events("sla-breaches", "breached")
    return len(handoffs) >= LEADS and len(breaches) >= LEADS


async def test_smoke(servers: Infrastructure, tmp_path: Path) -> None:
    async with room(servers) as where, relay(where, tmp_path, QUICK) as running:
        await send_all(running)
        await poison(running)
        await running.until(lambda: settled(running), 60, "handoffs and breaches")
        report = await audited(running)
        assert report.broken == ()
