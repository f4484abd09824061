"""The scorer's workload: engagements as the tracker of a medium web site sends them."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from chassis.kafka.publisher import Record
from schemas.identity import lead_id_of

KINDS = (
    *(("page_viewed", content) for content in ("home", "product", "blog", "pricing", "about")),
    ("email_opened", None),
    ("email_clicked", "newsletter"),
    ("content_downloaded", "case_study"),
    ("content_downloaded", "pricing"),
    ("webinar_attended", "launch"),
)
IMPORTED = (
    ("content_downloaded", "pricing"),
    ("content_downloaded", "case_study"),
    ("webinar_attended", "launch"),
    ("email_opened", None),
)
"""Engagements that a CRM has kept of a lead; all earn points that decay."""
START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
PERIOD = 3_000_000
"""Number of events, each 50 ms later than the one before, after which the times repeat."""


def lead(number: int) -> str:
    """The lead of this number."""
    return lead_id_of(user_id=f"bench-{number}")


def engagement(number: int, lead_id: str, chance: random.Random) -> bytes:
    """One engagement as the value of a record, about 400 bytes."""
    kind, content = chance.choices(KINDS, weights=(20, 20, 20, 6, 10, 10, 6, 3, 2, 1))[0]
    return _engagement(number, lead_id, kind, content, START + timedelta(milliseconds=50 * (number % PERIOD)))


def _engagement(number: int, lead_id: str, kind: str, content: str | None, time: datetime) -> bytes:
    event = {
        "specversion": "1.0",
        "id": f"bench-{number:012d}",
        "source": "segment/bench",
        "type": "baton.engagement.recorded.v1",
        "subject": lead_id,
        "time": time.isoformat(),
        "data": {
            "kind": kind,
            "content": content,
            "campaign": "autumn",
            "identifiers": {"user_id": f"bench-{number}"},
            "properties": {"path": f"/{content}", "referrer": "https://www.example.com/", "width": 1440},
        },
    }
    return json.dumps(event, separators=(",", ":")).encode()


def records(count: int, leads: int, seed: int) -> Iterator[Record]:
    """`count` engagements of `leads` leads; each lead has one where both are equal."""
    chance = random.Random(seed)
    ids = [lead(number) for number in range(leads)]
    for number in range(count):
        lead_id = ids[number] if leads == count else chance.choice(ids)
        yield Record("engagements", lead_id.encode(), engagement(number + seed * count, lead_id, chance))


def history(count: int, leads: int, seed: int, days: tuple[int, int]) -> Iterator[Record]:
    """`count` engagements in the order of their times, evenly spread over `days`."""
    chance = random.Random(seed)
    ids = [lead(number) for number in range(leads)]
    first = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days[0])
    step = timedelta(days=days[0] - days[1]) / count
    for number in range(count):
        lead_id = chance.choice(ids)
        kind, content = chance.choice(IMPORTED)
        value = _engagement(number, lead_id, kind, content, first + step * number)
        yield Record("engagements", lead_id.encode(), value)
