"""One lead all the way: over HTTP, and by a platform's own producer, to a follow-up or to a breach."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaProducer

from schemas.identity import lead_id_of
from tests.e2e import people
from tests.relay import WRITE_KEY, Relay
from tests.until import until


async def handed_off(relay: Relay, email: str) -> dict[str, Any]:
    """The lead's one `lead.handed_off`, once it is there."""
    lead = lead_id_of(email=email)

    async def found() -> list[dict[str, Any]]:
        return await relay.events("lead-handoffs", "handed_off", lead)

    [event] = await until(found, "the handoff", 30)
    return dict(event)


async def published(relay: Relay, handoff: dict[str, Any]) -> datetime:
    """When the broker got the handoff, but never before it was decided."""
    records = [each for each in await relay.records("lead-handoffs") if json.loads(each.value)["id"] == handoff["id"]]
    appended = datetime.fromtimestamp(records[0].timestamp / 1000, UTC)
    return max(appended, datetime.fromisoformat(handoff["data"]["handed_off_at"]))


async def clock_events(relay: Relay, email: str, *clocks: str) -> list[str]:
    """Types of what happened to the lead's clocks of these names, in order of their versions."""
    lead = lead_id_of(email=email)
    events = [event for topic in ("sla-clocks", "sla-breaches") for event in await relay.events(topic, lead=lead)]
    mine = [event["data"] | {"type": event["type"]} for event in events]
    mine = [event for event in mine if event["clock"] in clocks]
    return [event["type"].split(".", 1)[1] for event in sorted(mine, key=lambda event: event["version"])]


async def test_three_events_over_http_are_handed_off_and_nobody_follows_up(shared_relay: Relay) -> None:
    email = people.somebody()
    answer = await shared_relay.batch(people.qualified(email))
    assert (answer.status_code, answer.json()) == (200, {"success": True})

    handoff = await handed_off(shared_relay, email)
    assert handoff["data"]["score"] == 65
    assert handoff["data"]["contact"]["email"] == email
    assert handoff["data"]["owner"]["name"]
    assert sum(line["points"] for line in handoff["data"]["explanation"]) == 65

    async def breached() -> bool:
        return "sla.breached.v1" in await clock_events(shared_relay, email, "CK-S2")

    await until(breached, "the breach", 30)
    [breach] = await shared_relay.events("sla-breaches", lead=handoff["subject"])
    clocks = await shared_relay.events("sla-clocks", "clock.started", handoff["subject"])
    [started] = [event for event in clocks if event["data"]["clock"] == "CK-S2"]
    assert breach["time"] == started["data"]["due"]
    assert await published(shared_relay, handoff) == datetime.fromisoformat(started["data"]["started_at"])
    took = datetime.fromisoformat(started["data"]["due"]) - datetime.fromisoformat(started["data"]["started_at"])
    assert took.total_seconds() == handoff["data"]["targets"]["CK-S2"]
    assert datetime.fromisoformat(breach["data"]["detected_at"]) >= datetime.fromisoformat(breach["data"]["due"])

    async def counted() -> bool:
        breaches = await shared_relay.events("sla-breaches", "sla.breached")
        return await shared_relay.metric("sla-monitor", "baton_sla_breaches_total") == len(breaches)

    await until(counted, "one increment for each breach, other tests' included", 15)


async def test_a_follow_up_in_time_stops_the_clock_for_good(shared_relay: Relay) -> None:
    email = people.somebody()
    await shared_relay.batch(people.qualified(email))
    await handed_off(shared_relay, email)
    answer = await shared_relay.sales({"type": "sales.contacted", "subject": email, "data": {"channel": "call"}})
    assert answer.status_code == 200

    async def met() -> bool:
        return "clock.met.v1" in await clock_events(shared_relay, email, "CK-S2")

    await until(met, "the clock to be met", 15)
    other = people.somebody()  # its breach shows that the time of the first one is over
    await shared_relay.batch(people.qualified(other))

    async def other_breached() -> bool:
        return "sla.breached.v1" in await clock_events(shared_relay, other, "CK-S2")

    await until(other_breached, "the other lead's breach", 30)
    assert "sla.breached.v1" not in await clock_events(shared_relay, email, "CK-S2")


async def test_a_follow_up_that_arrives_late_takes_the_breach_back(shared_relay: Relay) -> None:
    email = people.somebody()
    await shared_relay.batch([people.identified(email), people.tracked(email, "Demo Requested")])
    handoff = await handed_off(shared_relay, email)
    assert handoff["data"]["intent"]["level"] == "high"

    async def breached() -> bool:
        return "sla.breached.v1" in await clock_events(shared_relay, email, "CK-S1")

    await until(breached, "the breach", 30)
    in_time = datetime.fromisoformat(handoff["data"]["handed_off_at"]) + timedelta(seconds=2)
    await shared_relay.sales(
        {"type": "sales.contacted", "subject": email, "time": in_time.isoformat(), "data": {"by": "grace"}}
    )

    async def retracted() -> bool:
        return "sla.breach_retracted.v1" in await clock_events(shared_relay, email, "CK-S1")

    await until(retracted, "the retraction", 15)
    events = await shared_relay.events("sla-breaches", lead=handoff["subject"])
    assert {event["data"]["breach_id"] for event in events} == {events[0]["data"]["breach_id"]}
    assert (await clock_events(shared_relay, email, "CK-S1"))[-2:] == ["sla.breach_retracted.v1", "clock.met.v1"]


async def test_a_platform_writes_to_the_topic_itself(shared_relay: Relay) -> None:
    email = people.somebody()
    lead = lead_id_of(email=email)
    described = {"identifiers": {"email": email}, "company_size": 50}
    doings = ({"kind": "webinar_attended"}, {"kind": "content_downloaded", "content": "pricing"})
    events = [("lead.described", described), *(("engagement.recorded", doing) for doing in doings)]
    async with AIOKafkaProducer(
        bootstrap_servers=shared_relay.room.bootstrap_servers, compression_type="snappy"
    ) as producer:
        for number, (kind, data) in enumerate(events):
            event = {
                "specversion": "1.0",
                "id": f"platform-{number}",
                "source": "a-platform",
                "type": f"baton.{kind}.v1",
                "subject": lead,
                "time": datetime.now().astimezone().isoformat(),
                "data": data,
            }
            topic = shared_relay.room.prefix + "engagements"
            await producer.send_and_wait(topic, json.dumps(event).encode(), key=lead.encode())
    assert (await handed_off(shared_relay, email))["data"]["score"] == 65


async def test_gzip_and_a_repeat_change_nothing(shared_relay: Relay) -> None:
    email = people.somebody()
    body = gzip.compress(json.dumps({"batch": people.qualified(email), "writeKey": WRITE_KEY[0]}).encode())
    repeats = "baton_scorer_duplicates_total"
    before = await shared_relay.metric("scorer", repeats)
    for _ in range(3):
        answer = await shared_relay.http.post("/v1/batch", content=body, headers={"Content-Encoding": "gzip"})
        assert answer.status_code == 200
    handoff = await handed_off(shared_relay, email)
    assert handoff["data"]["score"] == 65

    async def repeated() -> bool:
        return await shared_relay.metric("scorer", repeats) >= before + 6

    await until(repeated, "the repeats", 15)
    [row] = await shared_relay.query("scorer", "SELECT count(*) FROM fact WHERE lead_id = $1", handoff["subject"])
    assert row["count"] == 4, "the fourth is the link of the user id"
    assert len(await shared_relay.events("lead-handoffs", "handed_off", handoff["subject"])) == 1
