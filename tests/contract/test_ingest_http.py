"""What senders may rely on: the answers, and the records on the topics after success."""

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from chassis.kafka.publisher import Publisher
from chassis.process.settings import Kafka
from schemas.identity import lead_id_of
from tests.contract.conftest import PUBLIC, SERVER, Broker, Door, Opens, RealKafka, basic

ADA = lead_id_of(email="ada@example.com")


def a_call(call: str, **more: object) -> dict[str, object]:
    return {"type": call, "userId": "ada@example.com", **more}


async def test_a_batch_of_one_person_arrives_under_one_key(door: Door) -> None:
    calls = [
        a_call("identify", messageId="m1", traits={"name": "Ada", "company": {"name": "Engines", "size": 120}}),
        a_call("track", messageId="m2", event="Content Downloaded", properties={"content": "pricing"}),
        a_call("page", messageId="m3", name="Pricing"),
    ]
    answer = await door.post("/v1/batch", {"batch": calls})
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    events = await door.published()
    assert {key for key, _ in events} == {event["subject"] for _, event in events} == {ADA}
    assert {(event["id"], event["type"], event["source"]) for _, event in events} == {
        ("m1", "baton.lead.described.v1", f"segment/{door.name}"),
        ("m2", "baton.engagement.recorded.v1", f"segment/{door.name}"),
        ("m3", "baton.engagement.recorded.v1", f"segment/{door.name}"),
    }
    assert door.count("events_total", outcome="published") == 3
    assert door.count("requests_total", route="/v1/batch", status="200") == 1


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/v1/track", {"event": "Webinar Attended"}, {"kind": "webinar_attended"}),
        ("/v1/page", {"name": "Pricing"}, {"kind": "page_viewed", "content": "pricing"}),
        ("/v1/identify", {"traits": {"industry": "technology"}}, {"industry": "technology"}),
    ],
)
async def test_a_single_call_is_known_by_its_route(
    door: Door, path: str, body: dict[str, object], told: dict[str, object]
) -> None:
    answer = await door.post(path, {**body, "userId": "ada@example.com", "type": "group"})
    assert answer.status_code == 200, answer.text
    [(key, event)] = await door.published()
    assert key == ADA
    assert {name: event["data"].get(name) for name in told} == told


async def test_browsers_may_send_the_key_in_the_body_as_plain_text(door: Door) -> None:
    body = {"event": "Demo Requested", "anonymousId": "a1", "writeKey": "pk_for_tests"}
    answer = await door.post("/v1/track", body, key=None, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 200
    [(_, event)] = await door.published()
    assert event["data"]["kind"] == "demo_requested"
    assert "pk_for_tests" not in json.dumps(event)


async def test_a_refused_call_is_set_aside_whole_and_the_others_kept(door: Door) -> None:
    junk = {"type": "track", "event": "X", "userId": "undefined", "writeKey": "secret", "messageId": "bad"}
    answer = await door.post("/v1/batch", {"batch": [junk, a_call("track", event="Fine", messageId="good"), 7]})
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert [event["id"] for _, event in await door.published()] == ["good"]
    rejected = [value for _, value in await door.published("events-rejected")]
    assert [(value["reason"], value["item"]) for value in rejected] == [("no_identifier", junk), ("bad_item", 7)]
    assert door.count("rejected_total", reason="no_identifier") == 1
    assert door.count("events_total", outcome="rejected") == 2


async def test_the_rejected_record_of_a_single_call_has_no_write_key(door: Door) -> None:
    await door.post("/v1/track", {"event": "X", "writeKey": "pk_for_tests"}, key=None)
    [(_, value)] = await door.published("events-rejected")
    assert value["item"] == {"event": "X"}
    assert value["reason"] == "no_identifier"


async def test_a_retry_says_the_same_again(door: Door) -> None:
    sent = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    call = {"event": "Webinar Attended", "userId": "u1", "anonymousId": "a1", "timestamp": sent, "sentAt": sent}
    for attempt in "01":
        await door.post("/v1/track", call, headers={"X-Retry-Count": attempt})
    events = [event for _, event in await door.published()]
    assert len(events) == 4
    for kind in ("baton.engagement.recorded.v1", "baton.lead.linked.v1"):
        first, second = (event for event in events if event["type"] == kind)
        assert (first["id"], first["data"], first.get("occurredat")) == (
            second["id"],
            second["data"],
            second.get("occurredat"),
        )
    assert door.count("requests_resent_total") == 1


async def test_a_link_counts_once_in_a_request(door: Door) -> None:
    calls = [a_call("page", anonymousId="a1", name=name) for name in ("Pricing", "About", "Jobs")]
    await door.post("/v1/batch", {"batch": calls})
    links = [(key, event) for key, event in await door.published() if event["type"] == "baton.lead.linked.v1"]
    alias = lead_id_of(anonymous_id="a1")
    assert [(key, event["data"]) for key, event in links] == [
        (alias, {"alias": alias, "lead": ADA, "alias_by": "anonymous_id", "lead_by": "email"})
    ]


@pytest.mark.parametrize(
    ("path", "call"),
    [
        ("/v1/alias", {"previousId": "u1", "userId": "ada@example.com"}),
        ("/v1/merge", {"mergeProperties": [{"type": "user_id", "value": "u1"}], "userId": "ada@example.com"}),
    ],
)
async def test_calls_that_only_link_have_routes_and_come_in_batches(
    door: Door, path: str, call: dict[str, object]
) -> None:
    link = {"alias": lead_id_of(user_id="u1"), "lead": ADA, "alias_by": "user_id", "lead_by": "email"}
    assert (await door.post(path, call)).status_code == 200
    batch = {"batch": [{"type": path.removeprefix("/v1/"), **call}]}
    assert (await door.post("/v1/batch", batch)).status_code == 200
    found = [event["data"] for _, event in await door.published() if event["subject"] == lead_id_of(user_id="u1")]
    assert found == [link, link]


async def test_an_alias_of_one_identifier_is_taken_and_gives_nothing(door: Door) -> None:
    assert (await door.post("/v1/alias", {"previousId": "u1", "userId": "u1"})).status_code == 200
    assert await door.published() == []
    assert door.count("events_total", outcome="rejected") == 0


async def test_a_bad_identifier_beside_a_good_one_is_counted_and_the_event_taken(door: Door) -> None:
    calls = [a_call("page", userId="u1", context={"traits": {"email": "a@@b.com"}}) for _ in range(2)]
    assert (await door.post("/v1/batch", {"batch": calls})).status_code == 200
    assert {key for key, _ in await door.published()} == {lead_id_of(user_id="u1")}
    assert door.count("identifiers_dropped_total", identifier="email", why="no_address") == 2
    assert door.count("identifiers_dropped_total", identifier="anonymous_id", why="nobody") == 0
    assert door.count("events_total", outcome="rejected") == 0


async def test_gzip_is_inflated_whatever_the_content_type_says(door: Door) -> None:
    body = gzip.compress(json.dumps({"batch": [a_call("page", name="Pricing")]}).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/x-www-form-urlencoded"}
    assert (await door.post("/v1/batch", body, headers=headers)).status_code == 200
    assert len(await door.published()) == 1


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "no_write_key"),
        (basic("pk_unknown"), "unknown_write_key"),
        (basic(""), "bad_authorization"),
        ("Digest pk_for_tests", "bad_authorization"),
        ("Basic %%%", "bad_authorization"),
        ("Basic /////w==", "bad_authorization"),
    ],
)
async def test_without_a_good_write_key_nothing_is_taken(door: Door, header: str | None, code: str) -> None:
    headers = {"Authorization": header} if header else {}
    answer = await door.post("/v1/track", a_call("track", event="X"), key=None, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert await door.published() == []


async def test_sales_activities_need_a_servers_key_and_it_opens_the_segment_routes_too(door: Door) -> None:
    activity = {"type": "sales.contacted", "subject": "ada@example.com"}
    answer = await door.post("/v1/sales-activities", activity)
    assert (answer.status_code, answer.json()["code"]) == (401, "server_key_needed")
    assert await door.published("sales-activities") == []
    assert (await door.post("/v1/sales-activities", activity, key=SERVER)).status_code == 200
    assert (await door.post("/v1/page", a_call("page"), key=SERVER)).status_code == 200


async def test_an_abridged_sales_activity_is_completed(door: Door) -> None:
    before = datetime.now(UTC)
    body = {"type": "sales.contacted", "subject": " Ada@Example.COM", "data": {"channel": "call", "by": "Grace"}}
    answer = await door.post("/v1/sales-activities", body, key=SERVER)
    assert answer.json() == {"success": True, "accepted": 1}
    [(key, event)] = await door.published("sales-activities")
    assert (key, event["subject"], event["source"]) == (ADA, ADA, f"sales/{door.name}-server")
    assert (event["type"], event["data"]["by"]) == ("baton.sales.contacted.v1", "Grace")
    assert before <= datetime.fromisoformat(event["time"]) <= datetime.now(UTC)


async def test_sales_activities_are_taken_all_or_none(door: Door) -> None:
    good = {"type": "baton.sales.accepted.v1", "subject": ADA, "id": "x1", "source": f"crm/{door.name}"}
    wrong = {
        "type": "sales.contacted",
        "subject": ADA,
        "data": {"channel": "pigeon for ada@example.com", "human": "no"},
    }
    answer = await door.post("/v1/sales-activities", [good, wrong, {**good, "type": "sales.hugged"}], key=SERVER)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_event")
    assert [error["path"] for error in answer.json()["errors"]] == ["/1/data/channel", "/1/data/human", "/2/type"]
    assert "pigeon" not in answer.text
    assert "hugged" not in answer.text
    assert await door.published("sales-activities") == []
    answer = await door.post("/v1/sales-activities", [good, {**good, "id": "x2"}], key=SERVER)
    assert answer.json() == {"success": True, "accepted": 2}
    assert {event["id"] for _, event in await door.published("sales-activities")} == {"x1", "x2"}


async def test_too_many_bytes_are_refused_while_they_come(door: Door) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 65_536

    answer = await door.post("/v1/batch", content=endless())
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert sent <= 9


async def test_a_slow_body_ends_with_408(broker: Broker, opened: Opens) -> None:
    async def dripping() -> AsyncIterator[bytes]:
        yield b'{"batch":'
        await asyncio.sleep(30)

    async with opened(broker, body_deadline=timedelta(seconds=0.05)) as door:
        answer = await door.post("/v1/batch", content=dripping())
    assert (answer.status_code, answer.json()["code"]) == (408, "slow_body")
    assert answer.headers["connection"] == "close"


async def test_senders_without_a_key_take_no_room_from_those_who_have_one(broker: Broker, opened: Opens) -> None:
    hung = asyncio.Event()

    async def slow(size: int) -> AsyncIterator[bytes]:
        yield b" " * size
        await hung.wait()

    async with opened(broker, strangers=5, strangers_bytes=1_000, in_flight_bytes=2_000) as door:
        slowly = [asyncio.create_task(door.post("/v1/batch", content=slow(size), key=None)) for size in (600,) * 9]
        many = [asyncio.create_task(door.post("/v1/batch", content=slow(0), key=None)) for _ in range(9)]
        done, waiting = await asyncio.wait([*slowly, *many], timeout=0.3)
        assert 0 < len(waiting) <= 5
        assert {(task.result().status_code, task.result().json()["code"]) for task in done} == {(503, "overloaded")}
        assert door.count("in_flight_bytes") == 0
        for key, path in ((PUBLIC, "/v1/page"), (SERVER, "/v1/page")):
            assert (await door.post(path, a_call("page", name="x" * 1_000), key=key)).status_code == 200
        hung.set()
        assert {task.result().status_code for task in (await asyncio.wait(waiting))[0]} == {400}
        body = {"userId": "u1", "writeKey": PUBLIC, "name": "x" * 500}
        assert (await door.post("/v1/page", body, key=None)).status_code == 200
        assert door.count("in_flight_bytes") == 0


async def test_past_what_may_be_in_flight_the_answer_is_503(broker: Broker, opened: Opens) -> None:
    two = {"batch": [a_call("page", name="A"), a_call("page", name="B")]}
    async with opened(broker, in_flight_events=1) as door:
        answer = await door.post("/v1/batch", two)
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "overloaded", "2")
        assert (await door.post("/v1/page", a_call("page"))).status_code == 200
    async with opened(broker, in_flight_bytes=100) as door:
        answer = await door.post("/v1/batch", two)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert (door.count("in_flight_bytes"), door.count("in_flight_events")) == (0, 0)


@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        ("/v1/page", {"userId": "ada@example.com"}, PUBLIC),
        ("/v1/page", {"userId": "null"}, PUBLIC),
        ("/v1/sales-activities", {"type": "sales.contacted", "subject": "ada@example.com"}, SERVER),
    ],
)
async def test_without_an_acknowledgement_there_is_no_success(
    opened: Opens, path: str, body: dict[str, object], key: str
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        kafka = Kafka(bootstrap_servers=f"127.0.0.1:{nobody.getsockname()[1]}")
        async with Publisher(kafka) as publisher, opened(RealKafka(publisher, kafka)) as door:
            answer = await door.post(path, body, key=key)
            assert (answer.status_code, answer.json()["code"]) == (503, "not_acknowledged")
            assert int(answer.headers["retry-after"]) >= 1
            assert door.count("events_total", outcome="unacknowledged") == 1
            assert door.count("rejected_total", reason="no_identifier") == 0
