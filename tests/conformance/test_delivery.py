"""What released clients send over a bad connection: everything arrives, nothing twice, without a storm of requests."""

import json
from collections import Counter

from tests.conformance.conftest import Client
from tests.conformance.served import serving
from tests.relay import WRITE_KEY

TRACKS = 230
"""More than two batches of every client."""
MOST_RESENT = 5
"""Requests of a client during the outage, for each one after it."""


async def test_all_arrive_and_nothing_counts_twice(client: Client) -> None:
    padding = {f"p{number:02}": "x" * 1000 for number in range(client.largest // 1020)}
    who = {"anonymousId": "a1", "userId": "u1"}
    page = {"path": "/pricing", "url": "https://acme.example/pricing"}
    calls = [
        {"call": "page", "anonymousId": "a1", "name": "Pricing", "properties": page},
        {"call": "identify", **who, "traits": {"email": "ada@example.com", "name": "Ada"}},
        *({"call": "track", **who, "event": f"Step {number}", "properties": padding} for number in range(TRACKS)),
    ]
    async with serving(stumbles=client.resends) as served:
        await client.play(served.host, WRITE_KEY[0], calls)
        statuses = {status: served.requests(status) for status in (200, 503, 400, 401, 413)}
    assert (statuses[400], statuses[401], statuses[413]) == (0, 0, 0)
    assert (statuses[503] > 0) is client.resends
    assert statuses[503] <= MOST_RESENT * statuses[200]
    events = [json.loads(record.value or b"") for record in served.broker.records if record.topic == "engagements"]
    assert len(events) == len(served.broker.records)
    once = {event["id"]: event for event in events if "linked" not in event["type"]}
    kinds = Counter(event["data"].get("kind", "described") for event in events if event["id"] in once)
    assert kinds == {"page_viewed": 1, "described": 1, **{f"step_{number}": 1 for number in range(TRACKS)}}
    for event in map(json.loads, (record.value or b"" for record in served.broker.unacknowledged)):
        if event["id"] in once:  # sent again after no answer: the same event
            assert event["data"] == once[event["id"]]["data"]
