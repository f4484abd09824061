"""Records by outsiders: hostile ones on every input topic, and a foreign transaction's.

Each carries a header by which oracle and CRM leave it alone, and is about a lead of its own: that each has exactly one
outcome is the auditor's to say (I2, I10).
"""

# mypy: disable-error-code="no-untyped-call"
# aiokafka has no types of its own.

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaProducer

from tests.chaos.raw import Json

MARK = "x-outsider"
"""The header that says that no service of Baton and no sender of the load wrote the record."""
EXAMPLES = Path(__file__).resolve().parents[2] / "schemas/examples"
TEMPLATES = {
    "engagements": "engagement.recorded.v1/pricing-page-by-tracker.json",
    "sales-activities": "sales.contacted.v1/first-call.json",
    "lead-scores": "lead.scored.v1/crossed-the-threshold.json",
    "lead-handoffs": "lead.handed_off.v1/to-grace.json",
}
"""Input topic -> a good event of it, to be spoilt."""
BOMB_BYTES = 32 * 2**20
"""Of a record that its compressed batch makes 1,000 times smaller: twice what a service inflates."""


def stranger(chance: random.Random) -> str:
    """A lead that nobody else tells of."""
    return str(UUID(int=chance.getrandbits(128), version=4))


def good(topic: str, lead: str, id_: str) -> Json:
    """An event that the topic takes."""
    event: Json = json.loads((EXAMPLES / TEMPLATES[topic]).read_text())
    return event | {"subject": lead, "id": id_, "source": "outsider", "time": datetime.now(UTC).isoformat()}


def hostile(topic: str, lead: str, id_: str) -> Iterator[bytes]:
    """Values that no reader may accept, and none may stop at."""
    event = good(topic, lead, id_)
    for spoilt in (
        {"type": "baton.x\0.v1"},
        {"type": f"baton.{'x' * 100_000}.v1"},
        {"finaltime": True, "time": "0001-01-01T00:00:00Z"},
        {"finaltime": True, "time": "0001-01-01T00:00:00+23:59"},
        {"finaltime": True, "time": "9999-12-31T23:59:59-23:59"},
        {"time": "2026-02-29T25:61:61+99:99"},
        {"id": "\0"},
        {"specversion": 10**400},
    ):
        yield json.dumps(event | spoilt).encode()
    text = json.dumps(event)
    yield text.replace(json.dumps(event["data"]), "[" * 50_000).encode()
    yield text.replace(json.dumps(event["data"]), '{"kind": 1e999, "by": 1e999}').encode()
    yield text.replace('"outsider"', '"\\ud800"').encode()
    yield b"\xff\xfe" + text.encode("utf-16-le")


def writing(bootstrap_servers: str, **more: Any) -> AIOKafkaProducer:
    """A producer of an outsider's own, for a block."""
    return AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", max_request_size=2 * BOMB_BYTES, **more)
