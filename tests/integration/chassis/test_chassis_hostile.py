"""Hostile records through the real services, broker and database: each has one outcome, as has a good one after them.

On the topics that others than Baton write: there nothing that comes in may stop a partition.
"""

import json
import random
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from chassis.kafka.publisher import Record
from schemas.envelope import Decoder, Refused
from schemas.sizes import dead_letter_topic
from schemas.topics import TOPICS
from tests.hostile import Hostile, examples, records
from tests.infrastructure import Room
from tests.integration.chassis.driving import PARTS, House, leads, untroubled
from tests.unit.test_hostile_records import the_service
from tests.until import until

RECORDS = 150
OUTCOMES = ("facts", "duplicates", "replaced")


def hostile(topic: str) -> list[Hostile]:
    """Of few leads, and up to half of them such as a decoder takes."""
    found: list[Hostile] = []
    refused: list[Hostile] = []
    decoder, now = Decoder(*TOPICS[topic].events), datetime.now(UTC)
    several = [lead for part in PARTS for lead in leads(part, 2)]

    @seed(10)
    @settings(max_examples=2 * RECORDS, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.data())
    def collect(data: st.DataObject) -> None:
        lead = data.draw(st.sampled_from(several))
        record = data.draw(records(topic, lead, now, (f"n{len(found)}",)))
        if record.key is None and record.value is None:
            return  # no client can send it
        try:
            decoder.fact(record.key, record.value, now)
            found.append(record)
        except Refused:
            refused.append(record)

    collect()
    return [*found[: RECORDS // 2], *refused[: RECORDS // 2]]


@pytest.mark.parametrize(
    ("name", "topic"), [("scorer", "engagements"), ("router", "sales-activities"), ("sla-monitor", "sales-activities")]
)
async def test_partitions_go_on_and_each_record_has_one_outcome(own_room: Room, name: str, topic: str) -> None:
    house = House(own_room, name)
    await house.open()
    bad = hostile(topic)
    good = [
        {**examples(topic)[0], "subject": lead, "id": "good", "time": datetime.now(UTC).isoformat()}
        for lead in (leads(part, 3)[2] for part in PARTS)
    ]
    random.Random(10).shuffle(bad)
    async with house.foreign_producer() as producer:
        for number, (_, key, value) in enumerate(bad):
            where = None if key else number % len(PARTS)
            await producer.send(f"{own_room.prefix}{topic}", value, key=key, partition=where)
        await producer.flush()
    await house.publish(*(Record(topic, str(event["subject"]).encode(), json.dumps(event).encode()) for event in good))
    async with house.running(the_service(name, "balanced")) as supervisor:
        await until(lambda: house.counted("records", len(bad) + len(good)), "every record to have an outcome", 60)
        await untroubled(supervisor)
    totals = await house.totals()
    assert totals["records"] == len(bad) + len(good) == _outcomes(totals)
    rows = await house.query("SELECT lead_id FROM fact WHERE id = 'good'")
    assert {row[0] for row in rows} == {event["subject"] for event in good}
    assert totals["dead_letters:rules_failed"] == totals["dead_letters:refused_by_database"] == 0
    letters = sum(count for total, count in totals.items() if total.startswith("dead_letters:"))
    assert len(await house.written(dead_letter_topic(topic))) == letters > 0
    assert totals["facts"] > RECORDS / 6, "too few were decodable"


def _outcomes(totals: Counter[str]) -> int:
    """What invariant I2 counts."""
    prefixed = ("dead_letters:", "dropped:")
    return sum(count for name, count in totals.items() if name in OUTCOMES or name.startswith(prefixed))
