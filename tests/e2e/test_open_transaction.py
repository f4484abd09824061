"""A foreign producer's open transaction hides what lies behind it: nothing is judged by what cannot be read yet."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from aiokafka import AIOKafkaProducer

from baton_local.topics import PARTITIONS
from schemas.identity import lead_id_of, partition_of
from tests.e2e import people
from tests.e2e.test_story import clock_events, handed_off
from tests.relay import Relay
from tests.until import until

FOLLOW_UP = timedelta(seconds=6)
"""What the policy gives for a lead that asked for sales."""


async def test_a_contact_behind_an_open_transaction_is_never_a_breach(shared_relay: Relay) -> None:
    email = people.somebody()
    await shared_relay.batch([people.identified(email), people.tracked(email, "Demo Requested")])
    await handed_off(shared_relay, email)
    part = partition_of(lead_id_of(email=email).encode(), PARTITIONS)
    topic = shared_relay.room.prefix + "sales-activities"
    servers = shared_relay.room.bootstrap_servers
    async with AIOKafkaProducer(bootstrap_servers=servers, transactional_id=f"a-platform-{email}") as platform:
        await platform.begin_transaction()
        await platform.send_and_wait(topic, b"{}", key=b"a-platform", partition=part)
        answer = await shared_relay.sales(
            {"type": "sales.contacted", "subject": email, "data": {"channel": "call", "by": "grace"}}
        )
        assert answer.status_code == 200
        await asyncio.sleep((FOLLOW_UP + timedelta(seconds=3)).total_seconds())
        assert "sla.breached.v1" not in await clock_events(shared_relay, email, "CK-S1")
        await platform.abort_transaction()

    async def met() -> bool:
        return "clock.met.v1" in await clock_events(shared_relay, email, "CK-S1")

    await until(met, "the clock to be met once the transaction has ended", 30)
    assert "sla.breached.v1" not in await clock_events(shared_relay, email, "CK-S1")
