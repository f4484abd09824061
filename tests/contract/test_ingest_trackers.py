"""Recorded requests of released clients, each file the requests of one client and what comes of them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import PUBLIC, Door

RECORDED = Path(__file__).parents[1] / "fixtures/trackers"


def as_of_now(text: str) -> str:
    """The recording, with the tests' key for its key and the present for its time, 2026-11-29 08:26:06 to 09."""
    now = datetime.now(UTC) - timedelta(minutes=1)
    for second in range(6, 10):
        then = datetime(2026, 11, 29, 8, 26, second, tzinfo=UTC)
        for form in ("%Y-%m-%dT%H:%M:%S.", '"%s'):
            text = text.replace(then.strftime(form), (now + timedelta(seconds=second)).strftime(form))
    return text.replace("pk_demo_tracker", PUBLIC)


def said(event: dict[str, Any]) -> dict[str, Any]:
    """What of an event does not depend on when and by whom it was sent."""
    told = {name: value for name, value in event["data"].items() if value is not None and value is not False}
    return {"type": event["type"].removeprefix("baton.").removesuffix(".v1"), **told}


@pytest.mark.parametrize("name", sorted(file.stem for file in RECORDED.glob("*.json")))
async def test_the_requests_of_a_released_client_give_their_events(door: Door, name: str) -> None:
    recording = json.loads(as_of_now((RECORDED / f"{name}.json").read_text()))
    for request in recording["requests"]:
        answer = await door.post(request["path"], request["body"], key=None, headers=request["headers"])
        assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert await door.published("events-rejected") == []
    events = [event for _, event in await door.published()]
    found = sorted((said(event) for event in events if "linked" not in event["type"]), key=json.dumps)
    links = {(event["data"]["alias_by"], event["data"]["lead_by"]) for event in events if "linked" in event["type"]}
    assert found == sorted(recording["gives"], key=json.dumps)
    assert sorted(map(list, links)) == recording["links"]
    assert PUBLIC not in json.dumps(events)


async def test_a_refused_capture_keeps_what_is_needed_to_read_it_again_and_no_key(door: Door) -> None:
    sent = datetime.now(UTC).isoformat()
    batch = {"api_key": PUBLIC, "sent_at": sent, "batch": [{"event": "x", "distinct_id": "null", "timestamp": sent}]}
    assert (await door.post("/batch/", batch, key=None)).status_code == 200
    single = {"token": PUBLIC, "event": "x", "distinct_id": "null"}
    assert (await door.post("/capture/", single, key=None)).status_code == 200
    first, second = [value for _, value in await door.published("events-rejected")]
    assert (first["reason"], first["source"], first["sent_at"]) == ("no_identifier", f"posthog/{door.name}", sent)
    assert (second["call"], second["item"]) == ("capture", {"event": "x", "distinct_id": "null"})


async def test_a_capture_of_a_slow_clock_is_corrected(door: Door) -> None:
    slow = datetime.now(UTC) - timedelta(days=3)
    item = {"event": "x", "distinct_id": "u1", "timestamp": (slow - timedelta(minutes=5)).isoformat()}
    await door.post("/batch/", {"api_key": PUBLIC, "sent_at": slow.isoformat(), "batch": [item]}, key=None)
    [(_, event)] = await door.published()
    assert timedelta(minutes=4) < datetime.now(UTC) - datetime.fromisoformat(event["time"]) < timedelta(minutes=6)
